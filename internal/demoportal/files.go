package demoportal

import (
	"path"
	"strconv"

	"roompulse/internal/demoportal/world"
)

const accessibility = `{"ImageView":false,"MediaView":false,"WebView":true,"WebEdit":true,"WebReview":false,` +
	`"WebCustomFilterEditing":false,"WebRestrictedEditing":false,"WebComment":true,"CanConvert":false,"MustConvert":false}`

func (c *call) readableFile(id string) (*world.File, error) {
	f := c.view.File(id)
	switch {
	case f == nil:
		return nil, notFound("file")
	case f.Trash != nil && f.Trash != c.caller, f.Trash == nil && !c.canRead(f.Folder):
		return nil, accessDenied()
	}
	return f, nil
}

func (c *call) file() error {
	f, err := c.readableFile(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	w, room := c.w, f.Folder.InRoom()
	far := room != nil && room.ThirdParty()
	id := c.idField
	if far {
		id = w.textField
	}
	root := c.view.Root(f.Folder)
	rootID, rootType, folderID := root.ID, int(root.Section), f.Folder.ID
	if f.Trash != nil {
		const trashType, trashID = 3, "9"
		rootID, rootType, folderID, room = trashID, trashType, trashID, nil
	}
	w.object("", func() {
		id("folderId", folderID)
		w.numberField("version", int(f.Version))
		w.numberField("versionGroup", 1)
		w.textField("contentLength", "48.2 KB")
		w.numberField("pureContentLength", 49357)
		w.numberField("fileStatus", 0)
		w.boolField("mute", false)
		w.textField("viewUrl", c.base()+"/filehandler.ashx?action=download&fileid="+f.ID)
		w.textField("webUrl", c.base()+"/doceditor?fileid="+f.ID)
		w.numberField("fileType", 7)
		w.textField("fileExst", path.Ext(f.Title))
		w.textField("comment", "")
		w.numberField("thumbnailStatus", 1)
		w.numberField("formFillingStatus", 0)
		w.raw(`"viewAccessibility":` + accessibility)
		w.numberField("fileEntryType", 2)
		id("id", f.ID)
		id("rootFolderId", rootID)
		w.boolField("canShare", true)
		w.raw(`"security":{"Read":true,"Edit":false,"Delete":false}`)
		w.raw(`"availableShareRights":{"ExternalLink":["Editing","Review","Comment","Read","None"]}`)
		w.textField("title", f.Title)
		w.raw(`"access":0,"shared":false,"sharedForUser":false,"sharedExternal":false,"parentShared":false,"shortWebUrl":""`)
		c.dateField("created", f.Created())
		c.employee("createdBy", f.Creator)
		c.dateField("updated", f.Updated())
		w.numberField("rootFolderType", rootType)
		if room != nil {
			w.numberField("parentRoomType", folderTypes[room.Type])
		}
		c.employee("updatedBy", f.Updater)
	})
	return nil
}

// isNumber reports whether an id fits the routes of logs, which take numbers only.
func isNumber(id string) bool {
	_, err := strconv.ParseInt(id, 10, 32)
	return err == nil
}
