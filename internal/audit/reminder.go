package audit

import "time"

// Delivery is the outcome of sending a mail, as the ledger of reminders keeps it.
type Delivery string

const (
	// DeliveryClaimed is a mail that is being sent; if no run is at work, one
	// died over it.
	DeliveryClaimed Delivery = "claimed"
	// DeliverySent is a mail that the mail server took.
	DeliverySent Delivery = "sent"
	// DeliveryFailed is a mail that the server did not take: it is due again.
	DeliveryFailed Delivery = "failed"
	// DeliveryUncertain is a mail that was handed over without an answer. It may
	// have been sent, so it is never sent again.
	DeliveryUncertain Delivery = "uncertain"
)

// Mail is a mail to one person. Texts are ready to be encoded; whoever filled
// them in made names and titles safe.
type Mail struct {
	MessageID  string // without angle brackets
	Date       time.Time
	ToName     string
	To         string // address
	Subject    string
	Text, HTML string // both parts say the same
	Attachment *Attachment
}

// Attachment is a file that goes along with a mail.
type Attachment struct {
	Name    string
	Content []byte
}

// DeliveryError says what became of a mail that the server did not confirm.
type DeliveryError struct {
	// Outcome is DeliveryFailed or DeliveryUncertain.
	Outcome Delivery
	// Permanent refusals will be the same next time: the address is wrong.
	Permanent bool
	// Unavailable servers went away, or take no mails from us: perhaps no other one either.
	Unavailable bool
	Err         error
}

func (e *DeliveryError) Error() string { return e.Err.Error() }

func (e *DeliveryError) Unwrap() error { return e.Err }

// Reminded is the newest reminder of a member for a room, or digest to an
// address, among those that did not fail; Number is 0 if there is none.
type Reminded struct {
	Number int32
	At     time.Time
	// FailedAt is when the next one was last tried and failed; zero: it was not tried.
	FailedAt time.Time
}

// Membership names a member of a room.
type Membership struct{ RoomID, AccountID string }

// Reminders says who was reminded when.
type Reminders struct {
	Members map[Membership]Reminded
	Digests map[string]Reminded // by address in lower case
}

// Claim is a mail that is about to be sent. Either it reminds a member of
// Rooms, or it is a digest.
type Claim struct {
	MessageID string
	Email     string
	Window    Span
	At        time.Time

	AccountID string // of the member
	Rooms     []ClaimedRoom

	Digest *ClaimedDigest
}

// ClaimedRoom is a room that a reminder names.
type ClaimedRoom struct {
	RoomID  string
	Number  int32
	Verdict string // never, quiet or low
}

// ClaimedDigest is what the ledger keeps of a digest.
type ClaimedDigest struct {
	Name    string
	Number  int32
	Rooms   int32
	Members int32
}

// String names the claim in errors.
func (c Claim) String() string {
	if c.Digest != nil {
		return "digest to " + c.Email
	}
	return "reminder to " + c.Email
}

// ReminderRecord is a reminder for one room in the ledger.
type ReminderRecord struct {
	Membership
	Title      string // of the room
	Name       string // of the member
	Verdict    string
	CameBackAt time.Time // first counted event in the room after it; zero if there is none
	MailRecord
}

// DigestRecord is a digest in the ledger.
type DigestRecord struct {
	Name    string
	Rooms   int32
	Members int32
	MailRecord
}

// MailRecord is what reminders and digests have in common.
type MailRecord struct {
	Number    int32
	State     Delivery
	Email     string
	MessageID string
	Window    Span
	ClaimedAt time.Time
	SettledAt time.Time // zero while claimed
	Attempts  int32
	Error     string
}
