package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	text := "$ run <x> & y\nINFO: done\n[    0.1] Linux\n...\nhello\nboot: //:x: passed\n"
	got := svg("A & B", text)
	var lines []string
	classes := map[string]string{}
	var line, class string
	d := xml.NewDecoder(strings.NewReader(got))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "text" {
				line = ""
			} else if token.Name.Local == "tspan" {
				class = token.Attr[0].Value
			}
		case xml.CharData:
			line += string(token)
			if class != "" {
				classes[string(token)] = class
			}
		case xml.EndElement:
			class = ""
			if token.Name.Local == "text" {
				lines = append(lines, line)
			}
		}
	}
	if joined := strings.Join(lines, "\n") + "\n"; joined != text {
		t.Errorf("the image has the text\n%s\nwant\n%s", joined, text)
	}
	for part, want := range map[string]string{
		"$ run <x> & y": "command", "INFO:": "info", "[    0.1] Linux": "kernel", "...": "kernel", "boot: //:x: passed": "verdict",
	} {
		if classes[part] != want {
			t.Errorf("%q has the class %q, want %q", part, classes[part], want)
		}
	}
}
