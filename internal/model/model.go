// Package model holds the adapters of the models that PAM can ask, one file
// each: [OpenAI] and whatever speaks as it does, and [Script] for load tests
// and demos. The small assistant that needs no key is in package builtin.
//
// An adapter turns a [pam.Prompt] into one request and what comes back into
// chunks. It promises that a request ends with its context, that a call is
// handed on whole or not at all, and that what a provider answers is bounded
// in memory. It never retries, never waits by a clock of its own, never lets a
// key out; all that lasts longer than a request is another's.
package model
