package docspace

import (
	"context"
	"net/url"
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

// FolderRoom reads which room a folder lies in now; a room lies in itself. It
// is not ok for folders outside of rooms. Errors are those of [Client.FileFolder].
func (c *Client) FolderRoom(ctx context.Context, folderID string) (roomID string, ok bool, err error) {
	path, err := read[[]folder](ctx, c, call{
		op: "look up folder " + c.quote(folderID), path: "/api/2.0/files/folder/" + url.PathEscape(folderID) + "/path",
		scope: "files:read", single: true,
	})
	for _, f := range path {
		if roomTypes.short(f.RoomType) > 0 {
			return string(f.ID), true, nil
		}
	}
	return "", false, err
}
