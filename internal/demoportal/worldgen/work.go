package worldgen

import (
	"time"

	"roompulse/internal/demoportal/world"
)

// work lets somebody do what their right allows with what lies in the room.
func (g *generator) work(a act) {
	o, who := a.office, a.seat.who.account
	s := g.w.At(a.at.Add(time.Duration(g.rng.IntN(1000))*time.Millisecond), who)
	if g.rng.IntN(1000) == 0 {
		s = s.Late(time.Duration(1+g.rng.IntN(360)) * time.Minute)
	}
	g.rows++
	if len(o.files) == 0 {
		o.files = append(o.files, s.Upload(o.room.Folder, fileTitle(g.rng)))
		return
	}
	// People keep to the newer files.
	i := len(o.files) - 1 - min(g.rng.IntN(len(o.files)), g.rng.IntN(len(o.files)))
	f := o.files[i]
	switch a.seat.access {
	case world.Viewer, world.Commenter, world.Reviewer:
		if g.rng.IntN(3) == 0 {
			s.View(f)
		} else {
			s.Download(f)
		}
		return
	case world.FormFiller:
		s.SubmitForm(f, "")
		return
	default:
	}
	switch n := g.rng.IntN(1000); {
	case n < 280:
		s.Open(f)
	case n < 560:
		s.Save(f)
	case n < 680:
		s.Download(f)
	case n < 740:
		s.View(f)
	case n < 870:
		o.files = append(o.files, s.Upload(g.folderOf(o), fileTitle(g.rng)))
	case n < 920:
		o.files = append(o.files, s.CreateFile(g.folderOf(o), fileTitle(g.rng)))
	case n < 935:
		s.RenameFile(f, fileTitle(g.rng))
	case n < 945:
		s.Favor(f)
	case n < 955:
		s.DownloadFolder(g.folderOf(o))
	case n < 965:
		o.folders = append(o.folders, s.CreateFolder(o.room.Folder, folderTitles[g.rng.IntN(len(folderTitles))]))
	case n < 972:
		o.files = append(o.files, s.CopyFile(f, g.folderOf(o)))
	case n < 980:
		s.MoveFile(f, g.folderOf(o))
	default:
		g.unusual(s, a, o, i)
	}
}

func (g *generator) folderOf(o *office) *world.Folder { return o.folders[g.rng.IntN(len(o.folders))] }

// unusual acts are those that are hard to attribute, and deletions.
func (g *generator) unusual(s world.Session, a act, o *office, i int) {
	f := o.files[i]
	take := func() {
		o.files[i] = o.files[len(o.files)-1]
		o.files = o.files[:len(o.files)-1]
	}
	other := g.otherOffice(a, o)
	switch n := g.rng.IntN(20); {
	case n < 8:
		s.DeleteFile(f)
		take()
	case n < 9:
		g.w.At(a.at, o.room.Owner).Background().PurgeFile(f)
		take()
	case n < 12 && other != nil:
		s.MoveFile(f, other.room.Folder)
		take()
		other.files = append(other.files, f)
		g.rows++
	case n < 14 && other != nil:
		other.files = append(other.files, s.CopyFile(f, other.room.Folder))
		g.rows++
	case n < 15 && other != nil && len(o.folders) > 1:
		j := 1 + g.rng.IntN(len(o.folders)-1)
		s.MoveFolder(o.folders[j], other.room.Folder)
		g.rows++
		o.collect()
		other.collect()
	case n < 16:
		draft := s.Upload(s.Documents(), fileTitle(g.rng))
		g.w.At(a.at.Add(time.Second), a.seat.who.account).MoveFile(draft, o.room.Folder)
		o.files = append(o.files, draft)
		g.rows += 2
	case n < 17 && len(o.folders) > 4:
		j := 1 + g.rng.IntN(len(o.folders)-1)
		s.DeleteFolder(o.folders[j])
		o.collect()
	default:
		s.Open(f)
	}
}

// otherOffice finds another room for the person to move things to.
func (g *generator) otherOffice(a act, o *office) *office {
	for range 5 {
		other := g.offices[g.rng.IntN(len(g.offices))]
		// Outside storage gives moved files new ids; that is not simulated.
		if other != o && !other.room.Archived && !other.room.Deleted && g.isIn(other, a.seat.who) &&
			!other.room.ThirdParty() && !o.room.ThirdParty() && !a.at.Before(other.room.Created) {
			return other
		}
	}
	return nil
}

// collect finds the room's folders and files anew.
func (o *office) collect() {
	o.folders, o.files = o.folders[:0], o.files[:0]
	var walk func(*world.Folder)
	walk = func(f *world.Folder) {
		o.folders = append(o.folders, f)
		o.files = append(o.files, f.Files...)
		for _, sub := range f.Folders {
			walk(sub)
		}
	}
	walk(o.room.Folder)
}
