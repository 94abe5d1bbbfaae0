package demoportal

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// refused is an answer other than 200, in one of the API's shapes.
type refused struct {
	status        int
	message, kind string // of the server's exception
	field         string // set: the query value that does not bind
	bare          bool   // no body at all
}

func (r *refused) Error() string { return fmt.Sprintf("%d: %s", r.status, r.message) }

func notFound(what string) error {
	return &refused{status: http.StatusNotFound, message: "The required " + what + " was not found", kind: "ASC.Common.Web.ItemNotFoundException"}
}

func accessDenied() error {
	return &refused{status: http.StatusForbidden, message: "Access denied", kind: "System.Security.SecurityException"}
}

// noRoute is what the server's router says; nothing of the API is reached.
func noRoute() error { return &refused{status: http.StatusNotFound, bare: true} }

func badQuery(field, message string) error {
	return &refused{status: http.StatusBadRequest, field: field, message: message}
}

// crash is a defect of the server that a request runs into.
func crash(message, kind string) error {
	return &refused{status: http.StatusInternalServerError, message: message, kind: kind}
}

var hresults = map[int]int{http.StatusBadRequest: -2147024809, http.StatusInternalServerError: -2147467261}

func (r *refused) write(w *writer, href string) {
	if r.field == "" {
		w.object("", func() {
			w.object("error", func() {
				w.textField("message", r.message)
				w.textField("type", r.kind)
				w.textField("stack", "   at "+r.kind)
				hresult, ok := hresults[r.status]
				if !ok {
					hresult = -2146233088
				}
				w.numberField("hresult", hresult)
			})
			w.numberField("status", 1)
			w.numberField("statusCode", r.status)
		})
		return
	}
	// A value that does not bind is answered in the shape of a success.
	w.object("", func() {
		w.object("response", func() {
			w.textField("type", "https://tools.ietf.org/html/rfc9110#section-15.5.1")
			w.textField("title", "One or more validation errors occurred.")
			w.numberField("status", r.status)
			w.object("errors", func() { w.array(r.field, func() { w.text(r.message) }) })
			w.textField("traceId", "00-5b1e0c3a9f6d4e72-7a10-00")
		})
		w.numberField("count", 1)
		writeTail(w, href, r.status)
	})
}

// writeTail ends an envelope.
func writeTail(w *writer, href string, status int) {
	w.array("links", func() {
		w.object("", func() {
			w.textField("href", href)
			w.textField("action", http.MethodGet)
		})
	})
	w.numberField("status", map[bool]int{true: 0, false: 1}[status == http.StatusOK])
	w.numberField("statusCode", status)
}

func refusal(limit int, wait time.Duration, retryAfter bool) http.Header {
	h := http.Header{}
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", "0")
	if retryAfter {
		h.Set("Retry-After", strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
	}
	return h
}
