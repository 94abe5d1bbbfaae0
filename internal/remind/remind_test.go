package remind_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	_ "time/tzdata"

	"roompulse/internal/audit"
	"roompulse/internal/remind"
	"roompulse/internal/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// The scene of most tests: a window of 30 days that ends where the data do.
var (
	until = date("2026-11-22T14:00:00Z")
	from  = date("2026-10-23T14:00:00Z")
	now   = date("2026-11-22T15:30:00Z")
)

func date(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// judge is a Judge that says what a test made up, whatever the window; later
// is said of windows that end later, if there is something.
type judge struct {
	remind.Judgement
	until time.Time
	later *remind.Judgement
}

func (j *judge) CompleteUntil(context.Context) (time.Time, error) { return j.until, nil }

func (j *judge) Judge(_ context.Context, w audit.Window) (remind.Judgement, error) {
	if j.later != nil && w.To.After(until) {
		return *j.later, nil
	}
	return j.Judgement, nil
}

// reminded is a History that a test made up.
type reminded audit.Reminders

func (r reminded) Reminded(context.Context) (audit.Reminders, error) { return audit.Reminders(r), nil }

func options() remind.Options {
	return remind.Options{
		Window: audit.Window{From: from, To: until, Zone: time.UTC}, MinActivity: 1, Activity: audit.FilterAny,
		QuietPeriod: 30 * 24 * time.Hour, MaxRecipients: 50, MailDomain: "acme.example", Now: func() time.Time { return now },
	}
}

func templates(t *testing.T) *remind.Templates {
	t.Helper()
	loaded, err := remind.LoadTemplates(nil)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func person(id, name string) remind.Person {
	return remind.Person{AccountID: id, Name: name, Email: id + "@acme.example"}
}

func member(id, name string, state remind.State) remind.Member {
	m := remind.Member{Person: person(id, name), Access: "Editor", State: state}
	switch state {
	case remind.StateQuiet:
		m.LastActiveAt = date("2026-08-05T18:13:00Z")
	case remind.StateLow:
		m.LastActiveAt, m.Events = date("2026-11-05T18:13:00Z"), 1
	default:
	}
	return m
}

func room(id, title string, listed ...remind.Member) remind.Room {
	return remind.Room{ID: id, Title: title, Judged: len(listed) + 2, Listed: listed, Managers: []remind.Person{person("olga", "Olga Petrova")}}
}

func judgement(rooms ...remind.Room) remind.Judgement {
	return remind.Judgement{
		Portal: "https://acme.onlyoffice.example", Rooms: rooms,
		Quality: remind.Quality{
			CompleteFrom: date("2026-03-01T08:00:00Z"), CompleteUntil: until, MembersKnownFrom: date("2026-06-01T03:00:00Z"),
			NoneSince: date("2026-03-01T08:00:00Z"), Events: 1200, Unattributed: 12,
		},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s is not what is expected; got\n%s", name, got)
	}
}

// goldens compares all that a plan shows and sends with files.
func goldens(t *testing.T, name string, s *remind.Service) []audit.Mail {
	t.Helper()
	plan, messages, err := s.Preview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.WritePlan(&b, plan, messages); err != nil {
		t.Fatal(err)
	}
	golden(t, name+".txt.golden", b.String())
	var pages strings.Builder
	for _, m := range messages {
		pages.WriteString("<!-- " + m.MessageID + " -->\n" + m.HTML)
	}
	golden(t, name+".html.golden", pages.String())
	return messages
}

func TestGoldenMails(t *testing.T) {
	t.Parallel()
	viewer := member("dana", "Dana Ortiz", remind.StateNever)
	viewer.Access, viewer.Viewer = "Viewer", true
	founder := member("farid", "Farid Nasser", remind.StateQuiet)
	founder.LastActiveAt = time.Time{}
	noAddress := member("gina", "Gina Rossi", remind.StateNever)
	noAddress.Email = ""
	annual := room("802", "Annual Report 2026", member("ann", "Ann Lee", remind.StateQuiet), founder)
	annual.Managers = append(annual.Managers, person("boris", "Boris Lind"))
	history := reminded{
		Members: map[audit.Membership]audit.Reminded{
			{RoomID: "7", AccountID: "ann"}:    {Number: 1, At: now.AddDate(0, 0, -30)},
			{RoomID: "7", AccountID: "bo"}:     {Number: 2, At: now.AddDate(0, 0, -30).Add(time.Second)},
			{RoomID: "802", AccountID: "dana"}: {Number: 1, At: now.AddDate(0, 0, -1)},
		},
		Digests: map[string]audit.Reminded{"boris@acme.example": {Number: 4, At: now.AddDate(0, 0, -31)}},
	}
	o := options()
	o.Window.Zone = must(time.LoadLocation("Europe/Berlin"))
	o.ReplyTo = "help@acme.example"
	j := judgement(annual, room("7", "Tender", member("ann", "Ann Lee", remind.StateNever), member("bo", "Bo Lind", remind.StateQuiet), viewer,
		noAddress, member("zoe", "Zoë Ł", remind.StateUnknown)))
	j.Heading = []string{"  Window    2026-10-23 16:00 to 2026-11-22 15:00 (Europe/Berlin), where the data end", "  Judged    12 memberships"}
	j.New, j.Pending = 2, 1
	j.Quality.Notices = []string{"The portal shows no members of 1 room (9 since 2026-11-20 03:00): the last known ones are judged."}
	goldens(t, "mails", remind.New(&judge{Judgement: j, until: until}, history, templates(t), o))
}

// A measure above one event, and a manager for everything.
func TestGoldenLow(t *testing.T) {
	t.Parallel()
	o := options()
	o.MinActivity, o.Activity, o.ManagerEmail = 5, audit.FilterEdit, "boss@acme.example"
	o.Report = func(_ context.Context, rooms []string) (*audit.Attachment, error) {
		return &audit.Attachment{Name: "inactive-members.html", Content: []byte(strings.Join(rooms, " "))}, nil
	}
	nobody := room("sbox-7/x?y", "", member("ann", "", remind.StateLow))
	nobody.Managers = nil
	j := judgement(nobody, room("7", "Tender", member("ann", "", remind.StateLow), member("bo", "Bo Lind", remind.StateNever)))
	messages := goldens(t, "low", remind.New(&judge{Judgement: j, until: until}, reminded{}, templates(t), o))
	if got := string(messages[len(messages)-1].Attachment.Content); got != "sbox-7/x?y 7" {
		t.Errorf("the report is of the rooms %q", got)
	}
}

func TestGoldenHostileNames(t *testing.T) {
	t.Parallel()
	var listed []remind.Member
	for i, name := range []string{
		"Two\r\nBcc: thief@evil.example", "<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "\u202egnitsil\u202c", "bad \xff bytes",
		"{{.Portal}} %s %d", "<a href=\"https://evil.example\">Ann</a>", "   ", "line\u2028separator", "\" <thief@evil.example>",
	} {
		listed = append(listed, member(string(rune('a'+i)), name, remind.StateNever))
	}
	hostile := room("7\"><b>\n8", "Tender\r\n\r\nDear all, <b>send money</b>\x1b[2J", listed...)
	hostile.Managers = []remind.Person{person("olga", "Olga\r\n.\r\nQUIT <img src=x onerror=alert(1)>")}
	j := judgement(hostile)
	for _, m := range goldens(t, "hostile", remind.New(&judge{Judgement: j, until: until}, reminded{}, templates(t), options())) {
		if strings.ContainsAny(m.Subject, "\r\n\x1b\u202e") || strings.ContainsAny(m.Text, "\r\x1b\u202e\u2028") {
			t.Errorf("to %s: subject %q, text %q", m.To, m.Subject, m.Text)
		}
		if tag := regexp.MustCompile(`<(script|img|b>|a href="https://evil)`).FindString(m.HTML); tag != "" {
			t.Errorf("to %s: the page has %s", m.To, tag)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestPlanSpares(t *testing.T) {
	t.Parallel()
	base := judgement(room("7", "Tender", member("ann", "Ann Lee", remind.StateQuiet)))
	active := judgement(room("7", "Tender"))
	closed := judgement()
	unknown := judgement(room("7", "Tender", member("ann", "Ann Lee", remind.StateUnknown)))
	for name, test := range map[string]struct {
		judge   judge
		history reminded
		want    remind.Reason // empty: reminded
	}{
		"due":                      {judge: judge{Judgement: base, until: until}},
		"active since":             {judge: judge{Judgement: base, until: until.Add(time.Second), later: &active}, want: remind.BecauseActive},
		"the room is gone since":   {judge: judge{Judgement: base, until: until.Add(time.Second), later: &closed}, want: remind.BecauseActive},
		"unknown since":            {judge: judge{Judgement: base, until: until.Add(time.Second), later: &unknown}, want: remind.BecauseActive},
		"still inactive":           {judge: judge{Judgement: base, until: until.Add(time.Second), later: &base}},
		"data that end earlier":    {judge: judge{Judgement: base, until: until.Add(-time.Hour), later: &active}},
		"unknown":                  {judge: judge{Judgement: unknown, until: until}, want: remind.BecauseUnknown},
		"as old as the period":     {judge: judge{Judgement: base, until: until}, history: ago(30 * 24 * time.Hour)},
		"a microsecond too young":  {judge: judge{Judgement: base, until: until}, history: ago(30*24*time.Hour - time.Microsecond), want: remind.BecauseReminded},
		"another room is no rival": {judge: judge{Judgement: base, until: until}, history: reminded{Members: map[audit.Membership]audit.Reminded{{RoomID: "8", AccountID: "ann"}: {Number: 1, At: now}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := remind.New(&test.judge, test.history, templates(t), options()).Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(plan.Reminders) != 1, test.want != "" && len(plan.Reminders) != 0:
				t.Errorf("reminders: %+v", plan.Reminders)
			case test.want != "" && (len(plan.Spared) != 1 || plan.Spared[0].Because != test.want):
				t.Errorf("spared: %+v, want because %q", plan.Spared, test.want)
			}
		})
	}
}

func ago(d time.Duration) reminded {
	return reminded{Members: map[audit.Membership]audit.Reminded{{RoomID: "7", AccountID: "ann"}: {Number: 1, At: now.Add(-d)}}}
}

func TestOneMailOfAllRooms(t *testing.T) {
	t.Parallel()
	var rooms []remind.Room
	for _, id := range []string{"1", "2", "3"} {
		rooms = append(rooms, room(id, "Room "+id, member("ann", "Ann Lee", remind.StateQuiet), member("bo", "Bo Lind", remind.StateQuiet)))
	}
	plan, err := remind.New(&judge{Judgement: judgement(rooms...), until: until}, reminded{}, templates(t), options()).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Reminders) != 2 || len(plan.Reminders[0].Rooms) != 3 || len(plan.Digests) != 1 || len(plan.Digests[0].Rooms) != 3 || plan.People() != 3 {
		t.Errorf("%d reminders, %d digests, %d people", len(plan.Reminders), len(plan.Digests), plan.People())
	}
}

// A digest is about those who are still inactive, and nobody is told of
// themselves, or to ask themselves.
func TestDigestOfAnOldWindow(t *testing.T) {
	t.Parallel()
	ann, bo := member("ann", "Ann Lee", remind.StateQuiet), member("bo", "Bo Lind", remind.StateQuiet)
	base, later := room("7", "Tender", ann, bo), room("7", "Tender", bo)
	later.Managers = append(later.Managers, bo.Person)
	newest := judgement(later)
	j := &judge{Judgement: judgement(base, room("8", "Survey", ann)), until: until.Add(time.Hour), later: &newest}
	plan, err := remind.New(j, reminded{}, templates(t), options()).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Digests) != 1 || plan.Digests[0].To.AccountID != "olga" || len(plan.Digests[0].Rooms) != 1 ||
		len(plan.Digests[0].Rooms[0].Members) != 1 || plan.Digests[0].Rooms[0].Members[0].AccountID != "bo" {
		t.Errorf("digests %+v", plan.Digests)
	}
	if len(plan.Reminders) != 1 || len(plan.Reminders[0].Rooms[0].Managers) != 1 || plan.Reminders[0].Rooms[0].Managers[0].AccountID != "olga" {
		t.Errorf("reminders %+v", plan.Reminders)
	}
}

// office is a Mailer and a Ledger; change is called before the nth mail.
type office struct {
	ready  int
	change func(n int)
	errs   map[string]error // of sending, by address
	claims []audit.Claim
}

func (o *office) Ready(context.Context) error {
	o.ready++
	if o.change != nil {
		o.change(o.ready)
	}
	return nil
}

func (o *office) Send(_ context.Context, m audit.Mail) error { return o.errs[m.To] }

func (o *office) Abandon(context.Context, time.Time) (int64, error) { return 0, nil }

func (o *office) Claim(_ context.Context, c audit.Claim) error {
	o.claims = append(o.claims, c)
	return nil
}

func (o *office) Settle(context.Context, audit.Claim, audit.Delivery, string, time.Time) error {
	return nil
}

// TestAskedBeforeEachMail: one reminder and two digests are planned; what changes
// before a mail takes it back, or a part of it.
func TestAskedBeforeEachMail(t *testing.T) {
	t.Parallel()
	ann, bo := member("ann", "Ann Lee", remind.StateQuiet), member("bo", "Bo Lind", remind.StateQuiet)
	bo.Email = "" // is only in digests
	boris := person("boris", "Boris Lind")
	scene := func(tender, survey []remind.Member, managers ...remind.Person) remind.Judgement {
		both := judgement(room("7", "Tender", tender...), room("8", "Survey", survey...))
		both.Rooms[0].Managers = append(managers, both.Rooms[0].Managers...)
		return both
	}
	base := scene([]remind.Member{ann, bo}, []remind.Member{ann}, boris)
	for name, test := range map[string]struct {
		before int // which mail
		now    remind.Judgement
		want   string
	}{
		"nothing":                        {0, base, "ann: 7 8; boris: 1 rooms, 2 members; olga: 2 rooms, 3 members; "},
		"active in one room":             {1, scene([]remind.Member{bo}, []remind.Member{ann}, boris), "ann: 8; boris: 1 rooms, 1 members; olga: 2 rooms, 2 members; "},
		"active in both":                 {1, scene([]remind.Member{bo}, nil, boris), "boris: 1 rooms, 1 members; olga: 1 rooms, 1 members; "},
		"active before a digest":         {2, scene([]remind.Member{bo}, nil, boris), "ann: 7 8; boris: 1 rooms, 1 members; olga: 1 rooms, 1 members; "},
		"active before the last digest":  {3, scene(nil, []remind.Member{ann}, boris), "ann: 7 8; boris: 1 rooms, 2 members; olga: 1 rooms, 1 members; "},
		"no manager before their digest": {2, scene([]remind.Member{ann, bo}, []remind.Member{ann}), "ann: 7 8; olga: 2 rooms, 3 members; "},
		"nobody inactive any more":       {2, scene(nil, nil, boris), "ann: 7 8; "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &judge{Judgement: base, until: until}
			o := &office{change: func(n int) {
				if n == test.before {
					j.until, j.later = until.Add(time.Minute), &test.now
				}
			}}
			if _, err := remind.New(j, reminded{}, templates(t), options()).Send(t.Context(), o, o, func(remind.Outcome) {}); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, c := range o.claims {
				name, _, _ := strings.Cut(c.Email, "@")
				got.WriteString(name + ":")
				for _, room := range c.Rooms {
					got.WriteString(" " + room.RoomID)
				}
				if d := c.Digest; d != nil {
					fmt.Fprintf(&got, " %d rooms, %d members", d.Rooms, d.Members)
				}
				got.WriteString("; ")
			}
			if got.String() != test.want {
				t.Errorf("sent %q, want %q", got.String(), test.want)
			}
		})
	}
}

// A sync during the run does not make it write to more people than it may.
func TestNewManagersWait(t *testing.T) {
	t.Parallel()
	tender := room("7", "Tender", member("ann", "Ann Lee", remind.StateQuiet))
	j := &judge{Judgement: judgement(tender), until: until}
	o := &office{change: func(int) {
		tender.Managers = []remind.Person{person("boris", "Boris Lind"), person("olga", "Olga Petrova")}
		j.Judgement = judgement(tender)
	}}
	limited := options()
	limited.MaxRecipients = 2
	if _, err := remind.New(j, reminded{}, templates(t), limited).Send(t.Context(), o, o, func(remind.Outcome) {}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range o.claims {
		got = append(got, c.Email)
	}
	if want := []string{person("ann", "").Email, person("olga", "").Email}; !slices.Equal(got, want) {
		t.Errorf("mails to %q, want %q", got, want)
	}
}

// TestServerGoneAtAMail: an address at which the server goes away keeps nobody
// else from their mail, but a server that is gone is not asked for each.
func TestServerGoneAtAMail(t *testing.T) {
	t.Parallel()
	gone := &audit.DeliveryError{Outcome: audit.DeliveryFailed, Unavailable: true, Err: errors.New("421 later")}
	unclear := &audit.DeliveryError{Outcome: audit.DeliveryUncertain, Unavailable: true, Err: errors.New("EOF")}
	refused := &audit.DeliveryError{Outcome: audit.DeliveryFailed, Permanent: true, Err: errors.New("550 nobody")}
	for name, test := range map[string]struct {
		errs map[string]error // by the name in the address
		want string
		ends bool
	}{
		"at the first":               {map[string]error{"ann": gone}, "ann failed, bo sent, cleo sent, olga sent", false},
		"after the text":             {map[string]error{"bo": unclear}, "ann sent, bo uncertain, cleo sent, olga sent", false},
		"at one after another":       {map[string]error{"ann": unclear, "bo": gone}, "ann uncertain, bo failed", true},
		"at two that are apart":      {map[string]error{"ann": gone, "cleo": gone}, "ann failed, bo sent, cleo failed, olga sent", false},
		"it answers between the two": {map[string]error{"ann": gone, "bo": refused, "cleo": gone}, "ann failed, bo failed, cleo failed, olga sent", false},
		"at the last two":            {map[string]error{"cleo": gone, "olga": gone}, "ann sent, bo sent, cleo failed, olga failed", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tender := room("7", "Tender", member("ann", "Ann Lee", remind.StateQuiet), member("bo", "Bo Lind", remind.StateQuiet),
				member("cleo", "Cleo Ray", remind.StateQuiet))
			o := &office{errs: map[string]error{}}
			for who, err := range test.errs {
				o.errs[person(who, "").Email] = err
			}
			var got []string
			_, err := remind.New(&judge{Judgement: judgement(tender), until: until}, reminded{}, templates(t), options()).
				Send(t.Context(), o, o, func(o remind.Outcome) { got = append(got, o.To().AccountID+" "+string(o.State)) })
			if errors.Is(err, remind.ErrUnavailable) != test.ends || !test.ends && err != nil {
				t.Errorf("error %v", err)
			}
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestFailuresComeLast: addresses next to each other at which the server goes away
// end a run; the next one begins with everybody else.
func TestFailuresComeLast(t *testing.T) {
	t.Parallel()
	gone := &audit.DeliveryError{Outcome: audit.DeliveryFailed, Unavailable: true, Err: errors.New("421 later")}
	tender := room("7", "Tender", member("ann", "Ann Lee", remind.StateQuiet), member("bo", "Bo Lind", remind.StateQuiet),
		member("cleo", "Cleo Ray", remind.StateQuiet), member("dan", "Dan Fox", remind.StateQuiet))
	tender.Managers = append(tender.Managers, person("ada", "Ada Kern"))
	history := reminded{
		Members: map[audit.Membership]audit.Reminded{
			{RoomID: "7", AccountID: "ann"}:  {FailedAt: now.Add(-time.Hour)},
			{RoomID: "7", AccountID: "bo"}:   {FailedAt: now.Add(-2 * time.Hour)},
			{RoomID: "7", AccountID: "cleo"}: {Number: 1, At: now.AddDate(0, 0, -31)},
		},
		Digests: map[string]audit.Reminded{"ada@acme.example": {FailedAt: now.Add(-time.Hour)}},
	}
	o := &office{errs: map[string]error{"ada@acme.example": gone, "bo@acme.example": gone}}
	var got []string
	if _, err := remind.New(&judge{Judgement: judgement(tender), until: until}, history, templates(t), options()).
		Send(t.Context(), o, o, func(o remind.Outcome) { got = append(got, o.To().AccountID) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"cleo", "dan", "bo", "ann", "olga", "ada"}; !slices.Equal(got, want) {
		t.Errorf("tried %q, want %q", got, want)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, content, err string
	}{
		"none":         {file: "another.txt", content: "{{"},
		"broken":       {file: "digest.html", content: "<p>{{.To", err: "digest.html"},
		"no subject":   {file: "reminder.txt", content: "Hello", err: `no {{define "subject"}}`},
		"only a words": {file: "reminder.html", content: "<p>Hallo {{.To}}</p>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := remind.LoadTemplates(fstest.MapFS{test.file: {Data: []byte(test.content)}})
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if _, usage := errors.AsType[audit.UsageError](err); err != nil && !usage {
				t.Errorf("%v is no error of usage", err)
			}
		})
	}
}
