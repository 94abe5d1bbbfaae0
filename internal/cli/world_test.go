package cli

import (
	"time"

	"roompulse/internal/demoportal/world"
)

// noon is the present of the small world: what a sync reads ends two minutes before it.
var noon = time.Date(2026, 6, 30, 12, 2, 0, 0, time.UTC)

// smallWorld is a portal with somebody of each kind, whose ids, titles and
// times are fit for files of expected output.
func smallWorld() *world.World {
	at := func(day string) time.Time {
		t, err := time.Parse("2006-01-02 15:04", "2026-"+day)
		if err != nil {
			panic(err)
		}
		return t
	}
	w := world.New(world.Config{Created: at("01-05 08:00"), Owner: world.Person{ID: "user-anna", First: "Anna", Last: "Kern"}})
	anna := w.Owner()
	people := w.At(at("01-05 08:10"), anna)
	boris := people.AddAccount(world.Person{ID: "user-boris", First: "Boris", Last: "Lind", Kind: world.RoomAdmin})
	chloe := people.AddAccount(world.Person{ID: "user-chloe", First: "Chloe", Last: "Marin"})
	dana := people.AddAccount(world.Person{ID: "user-dana", First: "Dana", Last: "Ortiz", Email: "dana@partner.example", Kind: world.Guest})
	emil := people.AddAccount(world.Person{ID: "user-emil", First: "Émil", Last: "O'Brien"})
	farid := people.AddAccount(world.Person{ID: "user-farid", First: "Farid", Last: "Nasser"})
	gina := people.AddAccount(world.Person{ID: "user-gina", First: "Gina", Last: "Rossi"})
	analysts := people.CreateGroup("Analysts", boris, farid)

	tender := w.At(at("01-06 09:00"), boris).CreateRoom(world.RoomSpec{ID: "463996", Title: "Harbour Tender"})
	survey := w.At(at("01-06 09:10"), anna).CreateRoom(world.RoomSpec{ID: "274818", Title: "Field Survey"})
	pilot := w.At(at("01-06 09:20"), anna).CreateRoom(world.RoomSpec{ID: "100200", Title: "Pilot"})

	for _, member := range []*world.Account{chloe, emil} {
		w.At(at("01-07 10:00"), boris).Invite(tender, member, world.Editor)
	}
	w.At(at("01-07 10:01"), boris).Invite(tender, dana, world.Viewer)
	w.At(at("01-07 10:02"), boris).AddGroup(tender, analysts, world.ContentCreator)
	w.At(at("01-07 10:03"), anna).Invite(survey, boris, world.RoomManager)
	w.At(at("01-07 10:04"), anna).Invite(survey, chloe, world.Reviewer)
	w.At(at("01-07 10:05"), anna).Invite(pilot, chloe, world.Editor)

	plan := w.At(at("02-02 11:00"), chloe).Upload(tender.Folder, "plan.docx")
	w.At(at("02-02 11:05"), boris).Open(plan)
	scan := w.At(at("03-16 14:30"), chloe).Upload(survey.Folder, "scan.pdf")
	w.At(at("04-01 08:00"), anna).ArchiveRoom(pilot)
	w.At(at("05-04 16:45"), emil).Save(plan)
	hana := w.At(at("06-02 09:00"), anna).InviteAccount(world.Person{ID: "user-hana", Email: "hana@partner.example", Kind: world.Guest})
	w.At(at("06-02 09:05"), boris).Invite(tender, hana, world.Commenter)
	for _, day := range []string{"06-08 10:00", "06-08 15:00", "06-22 09:30"} {
		w.At(at(day), boris).Save(plan)
	}
	w.At(at("06-15 12:00"), farid).Download(plan)
	w.At(at("06-16 13:00"), boris).View(scan)
	w.At(at("06-23 08:00"), boris).Invite(tender, gina, world.Editor)
	w.At(at("06-24 18:00"), anna).Disable(emil)
	return w
}

// twinRooms is a portal of two rooms with one title, both in third-party
// storage, which has no log: of what was deleted since nobody can tell the room.
func twinRooms() *world.World {
	day := func(n int) time.Time { return noon.AddDate(0, 0, -n).Truncate(24 * time.Hour) }
	w := world.New(world.Config{Created: day(100), Owner: world.Person{ID: "user-olga", First: "Olga", Last: "Petrova"}})
	paul := w.At(day(99), w.Owner()).AddAccount(world.Person{ID: "user-paul", First: "Paul", Last: "Sy", Kind: world.RoomAdmin})
	left := w.At(day(90), w.Owner()).CreateRoom(world.RoomSpec{ID: "sbox-7", Title: "Scans"})
	right := w.At(day(90), w.Owner()).CreateRoom(world.RoomSpec{ID: "sbox-8", Title: "Scans"})
	for _, room := range []*world.Room{left, right} {
		w.At(day(80), w.Owner()).Invite(room, paul, world.Editor)
	}
	scan := w.At(day(10).Add(time.Hour), paul).Upload(left.Folder, "gone.pdf")
	draft := w.At(day(9).Add(time.Hour), paul).Upload(w.At(day(9), paul).Documents(), "draft.docx")
	w.At(day(8).Add(time.Hour), paul).MoveFile(draft, right.Folder)
	w.At(day(7).Add(time.Hour), paul).PurgeFile(scan)
	w.At(day(6).Add(time.Hour), paul).PurgeFile(draft)
	return w
}
