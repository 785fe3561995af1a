// Package providers is the contract between Sparki and a kind of CRM.
//
// A provider is a folder that knows nothing of our database, queue or HTTP server: calls, native
// structs, conversion. Retrying, storing and telling the world happen outside it, once.
package providers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sparki.app/integrations"
)

// Provider is one kind of CRM: stateless, safe for concurrent use.
type Provider interface {
	// Info describes the CRM; the API and the dashboard draw from it.
	Info() Info
	// Changes verifies a webhook delivery and reads what it hints at, in the order of the body.
	//   - ErrUnverified: the signature is wrong, missing or not configured; nothing else may be said.
	//   - ErrUnreadable: it cannot be read. An authentic one is kept as FAILED; where the CRM does not
	//     sign, nothing says that it is the CRM's, and it is refused.
	//   - nil: every message has its own verdict, see sparki.Message.Outcome.
	Changes(s sparki.Settings, header http.Header, body []byte) ([]sparki.Message, error)
	// Messages reads a body that was verified before, as Changes does: for a replay.
	Messages(s sparki.Settings, body []byte) ([]sparki.Message, error)
	// Connect makes the line to one CRM account. It sends nothing. An error is Misconfigured and
	// says which setting is missing.
	Connect(s sparki.Settings, transport http.RoundTripper) (Conn, error)
	// Mock makes the built-in CRM over a store; see Mock.
	Mock(o MockOptions) Mock
}

// Webhook verdicts of Provider.Changes.
var (
	ErrUnverified = errors.New("webhook is not authentic")
	ErrUnreadable = errors.New("webhook body cannot be read")
)

// Info describes a kind of CRM.
type Info struct {
	// Key is the provider's name in the API and the database: lower case, stable for good.
	Key  string
	Name string
	// WebhookVersion is the version in the path of its webhook route, for example "v1".
	WebhookVersion string
	// WebhookBodyLimit is the size of the largest webhook body that is read, in bytes.
	WebhookBodyLimit int64
	// Signed: deliveries carry a signature.
	Signed bool
	// WebhookSecret is the key of the secret setting that verifies it; "" where the CRM does not sign.
	WebhookSecret string
	Settings      []sparki.SettingField
	// DevMode: a smoke test of the agenda is offered. DevModeSetting is the toggle that allows it.
	DevMode        bool
	DevModeSetting string
	// NeedsMedewerker: an agenda item names an employee, so whoever links a schedule with a target that
	// has no MedewerkerID has to give one.
	NeedsMedewerker bool
	// WatchesAgenda: the CRM tells of changes of agenda items, and Read is sure of an item's absence. What
	// somebody changed there is then never overwritten silently.
	WatchesAgenda bool
	// WidgetVersion is the version in the path of the page that the CRM shows inside its own, for example
	// "v1"; "" where it shows none. A Conn of a CRM that does is a Widgets.
	WidgetVersion string
	// WidgetFrames are the origins whose pages may show it, as a Content-Security-Policy names them.
	WidgetFrames []string
	// MappingVersion rises with every change of the mapping, so that stored answers are mapped again.
	MappingVersion int
}

// Conn is one integration's line to its CRM. Its errors are *sparki.Error:
//
//	Unauthorized   the credentials are refused, also after one renewal
//	Misconfigured  they work, but not with these settings (agency without consent, missing permission)
//	NotFound       the object is gone there
//	Unavailable    time-out, network, 408, 429, 5xx, an answer that is no answer; RetryAfter when told
//	Rejected       any other refusal, with the CRM's own words
//	Invalid        the reference or the cursor is none of this CRM's; nothing was sent
//
// A call that its caller cancelled fails with the context's error instead: that says nothing about
// the CRM.
type Conn interface {
	// Check proves that the connection works for what the settings ask.
	Check(ctx context.Context) error
	// Page reads one page of the CRM's list of objects.
	Page(ctx context.Context, crawl Crawl) (Page, error)
	// Map maps an answer that Listing gave as Raw before. It sends nothing.
	Map(ref sparki.Ref, raw []byte) (*sparki.Found, error)
	// Listing reads and maps one object. An object that is there but may not be shown has Inactive set.
	Listing(ctx context.Context, ref sparki.Ref) (*sparki.Found, error)
}

// Agenda is the part of a Conn that writes appointments into the CRM's agenda. It keeps no state and
// tries nothing twice. Errors are as for Conn; sparki.Lost tells in addition of Put and Cancel whether
// the CRM may have done what was asked all the same. rest.Client decides that for each call, so what
// is left to a client is to make the errors of calls that come before the write (signing in, reading
// the item) sparki.Undone, and to mark the writes themselves (rest.Call.Changes), so that a switch that
// is turned off at the last moment still stops them.
type Agenda interface {
	// Targets lists the agendas that schedules can be linked with, of those that the settings allow. ID
	// and IntegrationID stay empty. What is no longer in it is not available any more.
	Targets(ctx context.Context) ([]sparki.AgendaTarget, error)
	// Put makes the CRM's agenda say what e says: remoteID "" adds an item, another one changes that
	// item, whatever it said before.
	//   - id, nil: done. id is the item's, also when it was changed.
	//   - NotFound: there is no item remoteID (any more); nothing was done. A path that leads nowhere is
	//     Misconfigured instead.
	//   - an error that is Lost: the item may have been added or changed, now or in a moment. So is an
	//     added item that was accepted without telling its id.
	//   - any other error: surely nothing was done.
	Put(ctx context.Context, remoteID string, e sparki.AgendaEntry) (id string, err error)
	// Cancel ends the item remoteID, which was last sent as e. nil also when it was cancelled before;
	// errors as for Put.
	Cancel(ctx context.Context, remoteID string, e sparki.AgendaEntry) error
	// Find searches the agenda e.Target for an item that is not cancelled and carries e.Reference. It
	// looks at the days from a day before e.Start to a day after e.End, for the case that somebody moved
	// it meanwhile. NotFound: there is none, so a lost Put did not add one.
	Find(ctx context.Context, e sparki.AgendaEntry) (remoteID string, err error)
	// Read reads the item remoteID, which was last sent as e. NotFound: it was deleted there.
	Read(ctx context.Context, remoteID string, e sparki.AgendaEntry) (*sparki.AgendaItem, error)
	// TestTarget is where the smoke test of the agenda writes to, from the settings of dev mode.
	// Conflict: dev mode is off, or the CRM has none.
	TestTarget() (sparki.EntryTarget, error)
}

// Widgets is the part of a Conn whose CRM shows a page of ours inside its own.
type Widgets interface {
	// Widget verifies the query with which the CRM asks for the page, exactly as it was received, and says
	// what the page is about. Its only error is ErrUnverified: for whatever is wrong, and also when a CRM
	// that has to be asked does not answer.
	Widget(ctx context.Context, rawQuery string, now time.Time) (Widget, error)
}

// Widget is what a page inside the CRM is about.
type Widget struct {
	// Ref is the listing; nil where the page is about something that we do not keep.
	Ref *sparki.Ref
}

// Crawl says what to read.
type Crawl struct {
	// Since: only what was modified at or after it, newest first; zero reads everything.
	Since time.Time
	// Cursor is the Next of the page before; "" for the first one.
	Cursor string
}

// Page is one page of a crawl.
type Page struct {
	// Refs may repeat objects of earlier pages.
	Refs []sparki.Ref
	// Found are those of these objects that the list gave whole; they need not be read again.
	Found []*sparki.Found
	// Next is the cursor of the page that follows; "" after the last one.
	Next string
	// Total is how many objects there are in all; -1 when the CRM does not tell.
	Total int
}

// Mock is a stand-in CRM that behaves as the contract says. The real client talks to it.
type Mock interface {
	// ServeHTTP serves the CRM's API, its media, and at "/" a small page to change things.
	http.Handler
	// Settings are what an integration needs to talk to this mock.
	Settings(ctx context.Context) (sparki.Settings, error)
}

// MockOptions are what a mock is made of.
type MockOptions struct {
	// Store keeps its documents; an empty store is filled with the seed on first use.
	Store MockStore
	// BaseURL is the absolute URL at which the mock is served, without a slash at the end. Its media
	// URLs and settings are built from it.
	BaseURL string
	// WebhookURL is where changes are sent to; "" sends none.
	WebhookURL string
	// Client sends the webhooks; nil means http.DefaultClient.
	Client *http.Client
}

// MockStore keeps the documents of one mock CRM. Every implementation is safe for concurrent use.
type MockStore interface {
	// Version rises with every Put and Delete; readers may cache until it does.
	Version(ctx context.Context) (int64, error)
	// List gives all documents of a kind, ordered by id.
	List(ctx context.Context, kind string) ([]MockDoc, error)
	// Put adds or replaces documents, all or none.
	Put(ctx context.Context, docs ...MockDoc) error
	// Delete removes a document; one that is not there is no error.
	Delete(ctx context.Context, kind, id string) error
}

// MockDoc is one document of a mock CRM.
type MockDoc struct {
	Kind string
	ID   string
	JSON []byte
}
