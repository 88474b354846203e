package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// A failure is a way in which a proxy fails.
type failure string

const (
	none           failure = "none"
	errorsOnly     failure = "500 for all requests"
	readErrors     failure = "500 for downloads"
	writeErrors    failure = "500 for uploads"
	cutDownloads   failure = "downloads end in the middle"
	shortDownloads failure = "downloads are truncated"
	falseDownloads failure = "downloads have a changed byte"
	cutUploads     failure = "uploads end in the middle"
)

// A proxy passes requests on to a cache, and makes errors.
type proxy struct {
	cache   string // its URL, without /cache
	failure atomic.Value
	failed  atomic.Int64 // number of errors so far
	server  *http.Server
	port    int
}

func startProxy(cache *engine) (*proxy, error) {
	p := &proxy{cache: fmt.Sprintf("http://127.0.0.1:%d", cache.port)}
	p.failure.Store(none)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.port = listener.Addr().(*net.TCPAddr).Port
	p.server = &http.Server{Handler: p}
	go p.server.Serve(listener)
	return p, nil
}

func (p *proxy) url() string { return fmt.Sprintf("http://127.0.0.1:%d/cache", p.port) }

// failureFor returns the current failure if it concerns the request, else none.
func (p *proxy) failureFor(r *http.Request) failure {
	f := p.failure.Load().(failure)
	get, put := r.Method == http.MethodGet, r.Method == http.MethodPut
	content := strings.Contains(r.URL.Path, "/cas/")
	switch f {
	case errorsOnly:
	case readErrors:
		if !get {
			return none
		}
	case writeErrors:
		if !put {
			return none
		}
	case cutDownloads, shortDownloads, falseDownloads:
		if !get || !content {
			return none
		}
	case cutUploads:
		if !put || !content || r.ContentLength < 2 {
			return none
		}
	}
	return f
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := p.failureFor(r)
	switch f {
	case errorsOnly, readErrors, writeErrors:
		p.failed.Add(1)
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var content io.Reader = bytes.NewReader(body)
	if f == cutUploads {
		p.failed.Add(1)
		content = io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenReader{})
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, p.cache+r.URL.Path, content)
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
	if response.StatusCode == http.StatusOK && len(got) > 1 {
		switch f {
		case cutDownloads:
			p.failed.Add(1)
			w.Header().Set("Content-Length", fmt.Sprint(len(got)))
			w.Write(got[:len(got)/2])
			panic(http.ErrAbortHandler)
		case shortDownloads:
			p.failed.Add(1)
			got = got[:len(got)/2]
		case falseDownloads:
			p.failed.Add(1)
			got[len(got)/2] ^= 1
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(got)))
	w.WriteHeader(response.StatusCode)
	w.Write(got)
}

// A brokenReader is a connection that has ended.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
