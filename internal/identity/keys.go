package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// The bounds of a fetch, and how often one is made.
const (
	maxSetSize   = 1 << 20          // bytes of the JWKS document
	maxKeys      = 100              // of one set; a token without kid tries them all
	fetchTimeout = 5 * time.Second  // for the whole fetch
	refreshFloor = 10 * time.Second // between two fetches, whoever asks
	refreshEvery = 10 * time.Minute // by Run, after a good fetch
	retryEvery   = 30 * time.Second // by Run, after a bad one
	maxRedirects = 3
)

// keySet is what is known of the JWKS URL at one moment. It never changes: a
// fetch puts another one in its place.
type keySet struct {
	keys    []publicKey
	fetched time.Time
	took    time.Duration
	skipped string // why keys of the last fetch are not used
	err     error  // of the last fetch
}

// verify looks for a key that made the signature. found says whether there was
// one by that name and for that algorithm; with an empty kid, for that
// algorithm.
func (s *keySet) verify(sig *jose.JSONWebSignature, alg jose.SignatureAlgorithm, kid string) (found, ok bool) {
	for i := range s.keys {
		k := &s.keys[i]
		if (kid != "" && k.id != kid) || !k.takes(alg) {
			continue
		}
		found = true
		if _, err := sig.Verify(k.key); err == nil {
			return true, true
		}
	}
	return found, false
}

// keyCache holds the last good keys of a JWKS URL. A fetch that fails, or that
// brings no key that could verify anything, changes nothing but the error.
type keyCache struct {
	url     *url.URL
	client  *http.Client
	now     func() time.Time
	log     *slog.Logger
	flight  singleflight.Group
	limiter *rate.Limiter
	set     atomic.Pointer[keySet]
}

func newKeyCache(u *url.URL, o Options) *keyCache {
	client := &http.Client{}
	if o.Client != nil {
		copied := *o.Client
		client = &copied
	}
	client.CheckRedirect = checkRedirect
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &keyCache{
		url: u, client: client, now: o.Now, log: log,
		limiter: rate.NewLimiter(rate.Every(refreshFloor), 1),
	}
	c.set.Store(&keySet{})
	return c
}

// checkRedirect follows a few redirects, and none from https to http, where
// anyone on the way could put keys of his own.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("redirected from https to " + r.URL.Scheme)
	}
	return nil
}

// refresh fetches the keys, unless it was done within refreshFloor: then the
// outcome of that fetch stands. Those who ask while a fetch is under way get
// its outcome. The fetch is nobody's own, so it is not cancelled with the
// request that happened to ask first.
func (c *keyCache) refresh(ctx context.Context) error {
	_, err, _ := c.flight.Do("", func() (any, error) {
		if !c.limiter.AllowN(c.now(), 1) {
			return nil, c.set.Load().err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return nil, c.store(c.fetch(ctx))
	})
	return err
}

// store puts the outcome of a fetch in place; the log hears of changes alone.
func (c *keyCache) store(fetched *keySet) error {
	last := c.set.Load()
	if fetched.err != nil {
		fetched.keys, fetched.fetched = last.keys, last.fetched
		if last.err == nil {
			c.log.Warn("the keys of the JWKS URL could not be fetched; the last good ones go on",
				"error", fetched.err.Error(), "keys", len(fetched.keys))
		}
	} else if last.err != nil {
		c.log.Info("the JWKS URL answers again", "keys", len(fetched.keys))
	}
	if fetched.skipped != "" && fetched.skipped != last.skipped {
		c.log.Warn("some keys of the JWKS URL are not used", "reasons", fetched.skipped)
	}
	c.set.Store(fetched)
	return fetched.err
}

func (c *keyCache) fetch(ctx context.Context) *keySet {
	start := c.now()
	keys, skipped, err := c.get(ctx)
	end := c.now()
	return &keySet{
		keys: keys, fetched: end, took: end.Sub(start),
		skipped: strings.Join(skipped, "; "), err: err,
	}
}

func (c *keyCache) get(ctx context.Context) (keys []publicKey, skipped []string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url.String(), nil)
	if err != nil {
		return nil, nil, errors.New("the JWKS URL cannot be asked")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, nil, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the JWKS URL answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSetSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("the JWKS URL stopped in mid-answer: %w", withoutURL(err))
	}
	if len(body) > maxSetSize {
		return nil, nil, fmt.Errorf("the JWKS URL sent more than %d bytes", maxSetSize)
	}
	return parseKeySet(body)
}

// withoutURL drops the URL that net/http puts into its errors: it may hold a
// password.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
