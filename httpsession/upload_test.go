package httpsession_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

// TestFilesOfAnUploadAreRemoved: package net/http does so for its own request, but the
// handler has another. A visitor could fill the disk.
func TestFilesOfAnUploadAreRemoved(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	s := newSite(t, setup{})
	within := func(next http.Handler) http.Handler { // a copy in the one, or in the other
		return s.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, _ session) {
			s.sessions.Handler(next).ServeHTTP(w, r)
		})
	}
	for name, test := range map[string]struct {
		around func(http.Handler) http.Handler
		then   func()
	}{
		"answered":                   {s.handler, func() {}},
		"panicked":                   {s.handler, func() { panic("test") }},
		"in a HandlerFunc":           {within, func() {}},
		"panicked, in a HandlerFunc": {within, func() { panic("test") }},
	} {
		t.Run(name, func(t *testing.T) {
			parsed := test.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseMultipartForm(1); err != nil {
					t.Error(err)
				}
				if left(t, folder) == 0 {
					t.Error("the upload is in no file: the test shows nothing")
				}
				test.then()
			}))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { _ = recover() }() // as those do that answer 500 then
				parsed.ServeHTTP(w, r)
			}))
			defer server.Close()
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			file, err := form.CreateFormFile("file", "coat.jpg")
			if err == nil {
				_, err = file.Write(make([]byte, 11<<20))
			}
			if err == nil {
				err = form.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.Client().Post(server.URL, form.FormDataContentType(), &body)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			server.Close() // when all that follows the handler has been done
			if n := left(t, folder); n > 0 {
				t.Errorf("%d files are left", n)
			}
		})
	}
}

func left(t *testing.T, folder string) int {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
