// Package world simulates what happens inside one DocSpace portal: people,
// groups, rooms, folders and files, the acts of the people, and the audit rows
// that a DocSpace server writes about them. It is deterministic, lives in
// memory and knows nothing of HTTP; package demoportal serves it.
//
// A test plays a scene and asks for the truth behind the rows:
//
//	w := world.New(world.Config{Created: created})
//	anna := w.Owner()
//	boris := w.At(monday, anna).AddAccount(world.Person{First: "Boris", Last: "Lind"})
//	survey := w.At(monday, boris).CreateRoom(world.RoomSpec{Title: "Field Survey"})
//	file := w.At(tuesday, boris).Upload(survey.Folder, "survey-q3.xlsx")
//	w.At(friday, anna).Late(3 * time.Hour).Download(file) // written three hours late
//	for e := range w.Truth(now).Events() {
//		...
//	}
//
// # Rows
//
// Acts are given in the order of time. A row has two instants: the one it is
// dated with, when the sender recorded it, and the one it is inserted at, when
// it gets its id from the installation's counter and can be listed. Most rows
// go through a queue first; a few actions are inserted at once and so get
// smaller ids than older rows still under way. An act that is dated before one
// already inserted is inserted behind it, as a late row.
//
// # Use
//
// Acts that cannot be (an upload into a deleted room) are mistakes of the
// scene and panic. Rights are not checked. All methods of World and Session
// may be called concurrently; the fields of accounts, groups, rooms, folders and
// files other than ID change with the acts, so read them inside World.Read
// while others act.
package world
