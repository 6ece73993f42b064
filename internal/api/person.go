package api

import (
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

type tokenAnswer struct {
	Token     string `json:"token,omitzero"`
	Ticket    string `json:"ticket,omitzero"`
	ExpiresAt string `json:"expires_at"`
}

type contextAnswer struct {
	Context jsontext.Value `json:"context"`
	Version int64          `json:"context_version"`
}

type memoryAnswer struct {
	Memory []memoryEntry `json:"memory"`
}

type memoryEntry struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	UpdatedAt string `json:"updated_at"`
}

// ticket makes a ticket for ?ticket=. The body is ignored.
func (a *API) ticket(w http.ResponseWriter, r *http.Request) {
	p, err := a.Doorman.Who(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	ticket, expires := a.Tokens.Ticket(p)
	a.answer(w, tokenAnswer{Ticket: ticket, ExpiresAt: wire.FormatTime(expires)})
}

// developmentToken makes a token for the page, in development mode alone.
func (a *API) developmentToken(w http.ResponseWriter, r *http.Request) {
	token, expires, err := a.Tokens.Development(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	a.answer(w, tokenAnswer{Token: token, ExpiresAt: wire.FormatTime(expires)})
}

// session is the one that ?session_id= names.
func session(r *http.Request, p pam.Principal) (pam.Session, error) {
	id := r.URL.Query().Get("session_id")
	switch {
	case id == "":
		id = string(pam.DefaultSession)
	case !pam.ValidID(id):
		return pam.Session{}, &pam.Error{Code: pam.CodeInvalid, Detail: "session_id: is not 1 to 64 of [A-Za-z0-9._:-]"}
	}
	return pam.Session{User: p.User, ID: pam.SessionID(id)}, nil
}

func (a *API) context(w http.ResponseWriter, r *http.Request) {
	p, err := a.Doorman.Who(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	s, err := session(r, p)
	if err != nil {
		a.refuse(w, err)
		return
	}
	a.contextOf(w, r, s)
}

func (a *API) mergeContext(w http.ResponseWriter, r *http.Request) {
	p, err := a.Doorman.Who(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	s, err := session(r, p)
	if err != nil {
		a.refuse(w, err)
		return
	}
	patch, err := body(r)
	if err == nil {
		err = object(patch)
	}
	if err == nil {
		_, err = a.Contexts.Merge(r.Context(), s, patch)
	}
	if err != nil {
		a.refuse(w, err)
		return
	}
	a.contextOf(w, r, s)
}

// object refuses a body that is not a JSON object, by the rules for frames.
func object(b []byte) error {
	_, err := wire.ParseRequestAs("ping", b)
	if pam.CodeOf(err) == pam.CodeBadFrame {
		return err
	}
	return nil
}

func (a *API) contextOf(w http.ResponseWriter, r *http.Request, s pam.Session) {
	c, err := a.Contexts.Context(r.Context(), s)
	if err != nil {
		a.refuse(w, err)
		return
	}
	a.answer(w, contextAnswer{Context: c.JSON, Version: c.Version})
}

func (a *API) memory(w http.ResponseWriter, r *http.Request) {
	p, err := a.Doorman.Who(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	memories, err := a.Memories.Memories(r.Context(), p.User)
	if err != nil {
		a.refuse(w, err)
		return
	}
	all := memoryAnswer{Memory: make([]memoryEntry, 0, len(memories))}
	for _, m := range memories {
		all.Memory = append(all.Memory, memoryEntry{Key: m.Key, Value: m.Value, UpdatedAt: wire.FormatTime(m.Updated)})
	}
	a.answer(w, all)
}

func (a *API) forget(w http.ResponseWriter, r *http.Request) {
	p, err := a.Doorman.Who(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	was, err := a.Memories.Forget(r.Context(), p.User, r.PathValue("key"))
	switch {
	case err != nil:
		a.refuse(w, err)
	case !was:
		a.refuse(w, &pam.Error{Code: pam.CodeNotFound, Message: "Nothing is remembered under this key."})
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (a *API) forgetAll(w http.ResponseWriter, r *http.Request) {
	p, err := a.Doorman.Who(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	if _, err := a.Memories.ForgetAll(r.Context(), p.User); err != nil {
		a.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// answer sends v as JSON with 200.
func (a *API) answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		a.refuse(w, err)
		return
	}
	answer(w, http.StatusOK, b)
}
