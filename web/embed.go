// Package web is the page that PAM serves at "/": its files, and the headers
// that they are served with.
//
// It owns what a browser may do with the page (its Content-Security-Policy) and
// nothing else: who is speaking and what is said are the API's.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed dist
var dist embed.FS

// Policy is the Content-Security-Policy of the page: its own files and its own
// server, no inline script or style, no frame around it, and no sink that turns
// text into script.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// file is one file of the page, ready to be served.
type file struct {
	body, etag, contentType string
}

// Handler serves the page: GET and HEAD of "/" and of the files that it loads;
// any other address is 404. A browser asks each time whether a file has changed,
// so that a page is never mixed from two versions for longer than one load.
func Handler() (http.Handler, error) {
	files := map[string]file{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := load(name)
		files[strings.TrimPrefix(name, "dist")] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	files["/"] = files["/index.html"]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		default:
			f.serve(w, r)
		}
	}), nil
}

// load reads a file of the page.
func load(name string) (file, error) {
	body, err := dist.ReadFile(name)
	if err != nil {
		return file{}, err
	}
	types := map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
	}
	contentType, ok := types[path.Ext(name)]
	if !ok {
		return file{}, fmt.Errorf("%s: no content type is known for it", name)
	}
	sum := sha256.Sum256(body)
	return file{body: string(body), etag: `"` + hex.EncodeToString(sum[:12]) + `"`, contentType: contentType}, nil
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(f.body))
}
