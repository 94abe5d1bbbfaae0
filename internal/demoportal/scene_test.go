package demoportal_test

import (
	"time"

	"roompulse/internal/demoportal/world"
)

// scene is a small portal with one of everything, as the examples in testdata have it.
type scene struct {
	*world.World
	anna, boris, chloe, dana, emil *world.Account
	analysts                       *world.Group
	survey, steering, intake       *world.Room
	pilot, drive                   *world.Room // archived, the second in outside storage
	final, drafts                  *world.Folder
	plan, gone                     *world.File
	end                            time.Time
}

// newScene plays the scene from day on; each act is a minute after the one before.
func newScene() *scene {
	w := world.New(world.Config{Created: day.AddDate(0, -8, 0)})
	s := &scene{World: w, anna: w.Owner(), end: day}
	by := func(who *world.Account) world.Session {
		s.end = s.end.Add(time.Minute)
		return w.At(s.end, who)
	}
	s.boris = by(s.anna).AddAccount(world.Person{First: "Boris", Last: "Lind", Kind: world.RoomAdmin})
	s.chloe = by(s.anna).AddAccount(world.Person{First: "Chloe", Last: "Marin"})
	s.dana = by(s.anna).InviteAccount(world.Person{Email: "dana.ortiz@partner.example", Kind: world.Guest})
	s.emil = by(s.anna).AddAccount(world.Person{First: "Émil", Last: "O'Brien"})
	leaver := by(s.anna).AddAccount(world.Person{First: "Frida", Last: "Sand"})
	s.analysts = by(s.anna).CreateGroup("Analysts", s.boris, s.boris, s.chloe)

	s.survey = by(s.boris).CreateRoom(world.RoomSpec{Title: "Field Survey", Tags: []string{"survey"}})
	s.steering = by(s.anna).CreateRoom(world.RoomSpec{Title: "Steering Group", Type: world.Editing, Tags: []string{"survey"}})
	s.intake = by(s.boris).CreateRoom(world.RoomSpec{Title: "Intake Desk", Type: world.FillingForms})
	s.pilot = by(s.anna).CreateRoom(world.RoomSpec{Title: "Pilot 2025", Type: world.DataRoom, Tags: []string{"survey"}})
	s.drive = by(s.anna).CreateRoom(world.RoomSpec{Title: "Partner drive", ID: "sbox-7", Tags: []string{"survey"}})
	by(s.anna).Upload(s.drive.Folder, "far.docx")
	by(s.anna).ArchiveRoom(s.pilot)
	by(s.anna).ArchiveRoom(s.drive)

	by(s.boris).Invite(s.survey, s.chloe, world.Editor)
	by(s.anna).Invite(s.survey, s.anna, world.RoomManager)
	by(s.anna).Invite(s.survey, leaver, world.Editor)
	by(s.boris).AddGroup(s.survey, s.analysts, world.Editor)
	by(s.boris).ChangeAccess(s.survey, s.chloe, world.Reviewer)
	by(w.System()).Invite(s.survey, s.dana, world.Viewer)
	by(s.anna).Invite(s.steering, s.boris, world.RoomManager)
	by(s.anna).AddGroup(s.steering, s.analysts, world.Editor)
	by(s.anna).Invite(s.steering, s.dana, world.Viewer)

	s.drafts = by(s.anna).CreateFolder(s.survey.Folder, "Drafts")
	s.final = by(s.anna).CreateFolder(s.steering.Folder, "Final")
	s.plan = by(s.anna).Upload(s.drafts, "plan.docx")
	upload := by(s.anna)
	for _, title := range []string{"survey-q3.xlsx", "annex-a.pdf", "annex-b.pdf"} {
		upload.Upload(s.survey.Folder, title)
	}
	by(s.chloe).Open(s.plan)
	by(s.anna).MoveFile(s.plan, s.final)
	s.gone = by(leaver).Upload(s.survey.Folder, "notes.txt")
	by(leaver).DeleteFile(s.gone)
	form := by(s.boris).Upload(s.intake.Folder, "intake.pdf")
	by(w.Anonymous()).SubmitForm(form, "Visitor")
	old := by(s.boris).Upload(s.survey.Folder, "old-scan.pdf")
	by(s.boris).Background().PurgeFile(old)
	by(s.anna).CreateTag("urgent")
	by(s.anna).CreateLink(s.survey, "Shared link")
	by(s.anna).Disable(s.emil)
	by(s.anna).DeleteAccount(leaver)
	s.end = s.end.Add(time.Hour)
	return s
}
