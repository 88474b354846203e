package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing/iotest"
)

// A failure is a way in which a proxy fails.
type failure struct {
	name   string
	method string // of the requests that fail; "": all
	kind   string // one of the constants
}

const (
	refuse = "refuse"
	// These concern only files, and not results of actions.
	cut     = "cut"
	shorten = "shorten"
	change  = "change"
)

// A proxy passes requests on to a cache, and makes errors.
type proxy struct {
	cache   *cache
	failure atomic.Pointer[failure] // nil: it does not fail
	failed  atomic.Int64            // number of errors so far
	server  *httptest.Server
}

func startProxy(c *cache) *proxy {
	p := &proxy{cache: c}
	p.server = httptest.NewServer(p)
	return p
}

// failureOf returns the kind of the failure if it concerns the request, else "".
func (p *proxy) failureOf(r *http.Request) string {
	f := p.failure.Load()
	if f == nil || f.method != "" && f.method != r.Method || f.kind != refuse && !strings.Contains(r.URL.Path, "/cas/") {
		return ""
	}
	return f.kind
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := p.failureOf(r)
	if kind == refuse {
		p.failed.Add(1)
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var content io.Reader = bytes.NewReader(body)
	if kind == cut && r.Method == http.MethodPut && r.ContentLength >= 2 {
		p.failed.Add(1)
		content = io.MultiReader(bytes.NewReader(body[:len(body)/2]), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, p.cache.url()+strings.TrimPrefix(r.URL.Path, "/cache"), content)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	request.ContentLength = int64(len(body))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(http.ErrAbortHandler) // ends the client's connection, too
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if r.Method == http.MethodGet && kind != "" && response.StatusCode == http.StatusOK && len(got) > 1 {
		p.failed.Add(1)
		switch kind {
		case cut:
			w.Header().Set("Content-Length", fmt.Sprint(len(got)))
			w.Write(got[:len(got)/2])
			panic(http.ErrAbortHandler)
		case shorten:
			got = got[:len(got)/2]
		case change:
			got[len(got)/2] ^= 1
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(got)))
	w.WriteHeader(response.StatusCode)
	w.Write(got)
}
