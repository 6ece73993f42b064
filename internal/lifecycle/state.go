package lifecycle

import "github.com/pam-assistant/pam"

// state is where a connection stands. Each is a type with a method for each
// transition that may leave it; a value of one is made here alone, and a test
// sees to it.
//
//sumtype:decl
type state interface{ phase() Phase }

// ender is a state that may still end: every one but disconnected.
type ender interface {
	state
	close(cause *Cause) disconnected
}

type (
	// connecting is a request that has not been accepted: nothing can be said.
	connecting struct{}
	// connected is accepted and nobody's: ping is answered and auth taken.
	connected struct{}
	// authenticated is somebody's, and served.
	authenticated struct{ principal *pam.Principal }
	// draining is somebody's, served, and ends as soon as it is idle.
	draining struct{ principal *pam.Principal }
	// disconnected is over. Nothing leaves it.
	disconnected struct{ cause *Cause }
)

func (connecting) accept() connected                          { return connected{} }
func (connecting) close(cause *Cause) disconnected            { return disconnected{cause} }
func (connected) authenticate(p *pam.Principal) authenticated { return authenticated{p} }
func (connected) close(cause *Cause) disconnected             { return disconnected{cause} }
func (authenticated) renew(p *pam.Principal) authenticated    { return authenticated{p} }
func (s authenticated) drain() draining                       { return draining(s) }
func (authenticated) close(cause *Cause) disconnected         { return disconnected{cause} }
func (draining) renew(p *pam.Principal) draining              { return draining{p} }
func (draining) close(cause *Cause) disconnected              { return disconnected{cause} }

func (connecting) phase() Phase    { return Phase{at: atConnecting} }
func (connected) phase() Phase     { return Phase{at: atConnected} }
func (authenticated) phase() Phase { return Phase{at: atAuthenticated} }
func (draining) phase() Phase      { return Phase{at: atDraining} }
func (disconnected) phase() Phase  { return Phase{at: atDisconnected} }
