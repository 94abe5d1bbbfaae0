package docspace

import (
	"context"
	"net/url"

	"roompulse/internal/audit"
)

// FileFolder reads which folder a file lies in now; it may be a room itself.
// A file that is gone gives audit.ErrGone, one in somebody else's trash audit.ErrNotReadable.
func (c *Client) FileFolder(ctx context.Context, fileID string) (folderID string, err error) {
	call := call{
		op: "look up file " + c.quote(fileID), path: "/api/2.0/files/file/" + url.PathEscape(fileID),
		scope: "files:read", single: true,
	}
	file, err := read[struct {
		FolderID text `json:"folderId"`
	}](ctx, c, call)
	if err == nil && file.FolderID == "" {
		err = c.unexpected(call, "the answer names no folder")
	}
	return string(file.FolderID), err
}

// FolderPlace reads in which room a folder lies now and through which folders; a
// room lies in itself. Errors are those of [Client.FileFolder].
func (c *Client) FolderPlace(ctx context.Context, folderID string) (audit.Place, error) {
	path, err := read[[]folder](ctx, c, call{
		op: "look up folder " + c.quote(folderID), path: "/api/2.0/files/folder/" + url.PathEscape(folderID) + "/path",
		scope: "files:read", single: true,
	})
	var place audit.Place
	for _, f := range path { // from the root down
		switch {
		case place.RoomID != "":
			place.Folders = append(place.Folders, string(f.ID))
		case roomTypes.short(f.RoomType) > 0:
			place.RoomID = string(f.ID)
		}
	}
	return place, err
}
