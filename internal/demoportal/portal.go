package demoportal

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"roompulse/internal/demoportal/world"
)

// DefaultKey is the API key of a portal that was given none. It acts as the
// portal's owner and may read everything.
const DefaultKey = "sk-0d5f3a628c1b4e7db2a94f6e1c7d9088a1b2c3d4e5f60718293a4b5c6d7e3f9a"

// Key is an API key.
type Key struct {
	Token    string
	Owner    *world.Account
	Scopes   []string  // empty: everything
	Expires  time.Time // zero: never
	Inactive bool
}

// Version is a release of DocSpace whose answers differ.
type Version int

// The versions.
const (
	V37 Version = iota // 3.6 and later
	V35                // room logs have no ids, members only sharedTo
	V34                // besides, audit events have module in place of location
)

// Options describe a portal beyond its world. The zero value is a DocSpace 3.7
// with DefaultKey.
type Options struct {
	// Now is the portal's clock: what is inserted later is not there yet. Nil
	// means time.Now.
	Now     func() time.Time
	Keys    []Key
	Version Version
	// SampleShape lists audit events in the shape that the vendor's sample script
	// expects and no DocSpace has: with a room id, an entity type, and userId
	// or account; id and date are there as well.
	SampleShape bool
	// Language of the words in an event's context: "en" or "de", empty for "en".
	Language string
	// AuditLifetime in days limits events/last and the answers without the
	// audit option; 0 means 180.
	AuditLifetime int
}

// Portal serves a world over HTTP. It is safe for concurrent use.
type Portal struct {
	world   *world.World
	now     func() time.Time
	options Options
	keys    map[string]Key
	mux     *http.ServeMux
	limiter limiter
	serial  atomic.Uint64 // of answers, for ties shuffled anew

	mu     sync.Mutex
	faults Faults
	log    requestLog
}

// New returns a portal that serves w.
func New(w *world.World, o Options) *Portal {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Keys == nil {
		o.Keys = []Key{{Token: DefaultKey, Owner: w.Owner(), Scopes: []string{"*:read"}}}
	}
	if o.AuditLifetime == 0 {
		o.AuditLifetime = 180
	}
	p := &Portal{world: w, now: o.Now, options: o, keys: make(map[string]Key), mux: http.NewServeMux()}
	for _, k := range o.Keys {
		p.keys[k.Token] = k
	}
	p.routes()
	return p
}

// World returns the world that the portal serves.
func (p *Portal) World() *world.World { return p.world }

// SetFaults changes how the portal misbehaves, from the next request on.
func (p *Portal) SetFaults(change func(*Faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.faults)
}

func (p *Portal) currentFaults() Faults {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// The scopes that open a route besides the global ones.
var (
	globalOnly    = []string{}
	roomScopes    = []string{"rooms:read", "rooms:write"}
	fileScopes    = []string{"files:read", "files:write"}
	selfScopes    = []string{"accounts.self:read", "accounts.self:write"}
	accountScopes = []string{"accounts:read", "accounts:write"}
	groupScopes   = []string{"accounts:read"}
	anyScope      []string // nil: not checked
)

func (p *Portal) routes() {
	p.route("security/audit/events/filter", globalOnly, (*call).auditFilter)
	p.route("security/audit/events/last", globalOnly, (*call).auditLast)
	p.route("security/audit/types", globalOnly, (*call).auditTypes)
	p.route("security/audit/mappers", globalOnly, (*call).auditMappers)
	p.route("security/audit/settings/lifetime", globalOnly, (*call).auditLifetime)
	p.route("keys/@self", anyScope, (*call).keySelf)
	p.route("people/@self", selfScopes, (*call).self)
	p.route("people", accountScopes, (*call).activePeople)
	p.route("people/filter", accountScopes, (*call).filterPeople)
	p.route("people/{id}", anyScope, (*call).person)
	p.route("people/room/{id}", accountScopes, (*call).roomPeople)
	p.route("group", groupScopes, (*call).groups)
	p.route("group/{id}", groupScopes, (*call).group)
	p.route("files/rooms", roomScopes, (*call).rooms)
	p.route("files/rooms/{id}", roomScopes, (*call).room)
	p.route("files/rooms/{id}/share", roomScopes, (*call).share)
	p.route("files/rooms/{id}/links", roomScopes, (*call).links)
	p.route("files/folder/{id}", fileScopes, (*call).folder)
	p.route("files/folder/{id}/path", fileScopes, (*call).folderPath)
	p.route("files/folder/{id}/log", fileScopes, (*call).folderLog)
	p.route("files/folder/{id}/group/{group}/share", fileScopes, (*call).groupShare)
	p.route("files/file/{id}", fileScopes, (*call).file)
	p.route("files/file/{id}/log", fileScopes, (*call).fileLog)
	p.route("ai/agents", globalOnly, (*call).agents)
}

// call is one request on its way to an answer.
type call struct {
	p       *Portal
	r       *http.Request
	query   query
	key     Key
	caller  *world.Account
	faults  Faults
	view    world.View
	now     time.Time
	w       *writer
	tieSalt uint64
	// count and total of the envelope; nil means the server sets none.
	count, total *int
}

func (p *Portal) route(path string, scopes []string, answer func(*call) error) {
	p.mux.HandleFunc("GET /api/2.0/"+path, func(rw http.ResponseWriter, r *http.Request) {
		p.serve(rw, r, path, scopes, answer)
	})
}

// ServeHTTP answers a request to the portal's REST API.
func (p *Portal) ServeHTTP(rw http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(rw, r) }

// writers keeps the buffers of answers, most of which have a size.
var writers = sync.Pool{New: func() any { return &writer{b: make([]byte, 0, 64<<10)} }}

func (p *Portal) serve(rw http.ResponseWriter, r *http.Request, endpoint string, scopes []string, answer func(*call) error) {
	request := p.log.begin(endpoint, r.URL.RequestURI())
	status := http.StatusOK
	defer func() { p.log.end(request, status) }()

	if before := p.currentFaults().Before; before != nil {
		before(request)
	}
	faults := p.currentFaults()
	rw.Header().Set("Date", p.now().Add(faults.DateSkew).UTC().Format(http.TimeFormat))
	if faults.Latency > 0 && !wait(r, faults.Latency) {
		return
	}
	fault := NoFault
	if faults.Script != nil {
		fault = faults.Script(request)
	}
	clock := p.now
	if faults.RateLimit.Now != nil {
		clock = faults.RateLimit.Now
	}
	if refused := p.limiter.enter(faults.RateLimit, clock()); refused != nil {
		status = tooMany(rw, refused)
		return
	}
	defer p.limiter.leave()

	switch fault {
	case TooMany:
		status = tooMany(rw, refusal(1500, time.Second, faults.RateLimit.RetryAfter))
		return
	case BadGateway:
		status = http.StatusBadGateway
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte("<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"))
		return
	case Unavailable:
		status = http.StatusServiceUnavailable
		rw.WriteHeader(status)
		return
	case EmptyBody:
		return
	case Hang:
		<-r.Context().Done()
		return
	case NoFault, ServerError, Truncated, CutConnection:
	}

	body := writers.Get().(*writer)
	defer writers.Put(body)
	body.b = body.b[:0]
	err := p.answer(body, r, scopes, answer, faults)
	if fault == ServerError {
		err = crash("Object reference not set to an instance of an object.", "System.NullReferenceException")
	}
	if no, ok := errors.AsType[*refused](err); ok {
		status = no.status
		body.b = body.b[:0]
		if !no.bare {
			no.write(body, href(r))
		}
	} else if err != nil {
		panic(err) // a defect of this package
	}
	if fault == Truncated {
		body.b = body.b[:len(body.b)/2]
	}
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body.b)))
	if fault == CutConnection {
		rw.WriteHeader(status)
		_, _ = rw.Write(body.b[:len(body.b)/2])
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}
	rw.WriteHeader(status)
	_, _ = rw.Write(body.b) // a client that went away is no concern of the portal
}

func tooMany(rw http.ResponseWriter, headers http.Header) int {
	maps.Copy(rw.Header(), headers)
	rw.WriteHeader(http.StatusTooManyRequests)
	return http.StatusTooManyRequests
}

// wait lets time pass unless the client goes away.
func wait(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// href is the request's whole address, as the envelope shows it.
func href(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + r.URL.RequestURI()
}

// answer writes the envelope of a success or says how the request is refused.
func (p *Portal) answer(w *writer, r *http.Request, scopes []string, answer func(*call) error, faults Faults) (err error) {
	if faults.Suspended {
		return noRoute()
	}
	if faults.Refuse != 0 {
		return &refused{status: faults.Refuse, bare: true}
	}
	now := p.now()
	p.world.Read(now, func(v world.View) {
		c := &call{p: p, r: r, query: query{r.URL.Query()}, faults: faults, view: v, now: now, w: w}
		if err = c.authorize(scopes); err != nil {
			return
		}
		c.salt()
		w.open('{')
		w.key("response")
		start := len(w.b)
		if err = answer(c); err != nil {
			return
		}
		if fields := c.query.Get("fields"); fields != "" {
			var kept []byte
			if kept, err = parseFields(fields).cut(w.b[start:]); err != nil {
				return
			}
			w.b = append(w.b[:start], kept...)
		}
		count := 1
		if c.count != nil {
			count = *c.count
		}
		w.numberField("count", count)
		if c.total != nil {
			w.numberField("total", *c.total)
		}
		writeTail(w, href(r), http.StatusOK)
		w.close('}')
	})
	return err
}

// authorize finds out who asks and whether the key's scopes open the route.
func (c *call) authorize(scopes []string) error {
	token, _ := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	key, ok := c.p.keys[token]
	if !ok || key.Inactive || !key.Expires.IsZero() && key.Expires.Before(c.now) ||
		key.Owner.Status != world.Active || key.Owner.Deleted {
		return &refused{status: http.StatusUnauthorized, bare: true}
	}
	c.key, c.caller = key, key.Owner
	if scopes == nil || len(key.Scopes) == 0 {
		return nil
	}
	for _, have := range key.Scopes {
		if have == "*:read" || have == "*:write" || slices.Contains(scopes, have) {
			return nil
		}
	}
	return &refused{status: http.StatusForbidden, bare: true}
}

// admin reports whether the caller holds the right to the portal's settings,
// and so reads all rooms.
func (c *call) admin() bool {
	return c.caller.Kind == world.PortalOwner || c.caller.Kind == world.Admin
}

// canRead reports whether the caller may look into a folder.
func (c *call) canRead(f *world.Folder) bool {
	r := f.InRoom()
	if r == nil {
		root := c.view.Root(f)
		return root.Section != world.MyDocuments || root.Creator == c.caller
	}
	if c.faults.Unreadable != nil && c.faults.Unreadable(r.ID) {
		return false
	}
	return c.admin() || c.isMember(r)
}

func (c *call) isMember(r *world.Room) bool {
	if r.Owner == c.caller {
		return true
	}
	for g := range r.Grants() {
		if g.Account == c.caller || g.Group != nil &&
			(g.Group.System && c.caller.Kind != world.Guest || slices.Contains(c.caller.Groups(), g.Group)) {
			return true
		}
	}
	return false
}
