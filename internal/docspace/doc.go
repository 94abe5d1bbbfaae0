// Package docspace asks a DocSpace portal, over its REST API, what sync needs
// to know: the audit trail, rooms and who is in them, people, groups, rooms'
// logs. It knows portals from version 3.1 on, where API keys begin.
//
// A [Client] keeps below the portal's limits, slows down when the portal asks
// for it, and repeats what fails for a while. What it returns are values of
// package audit; what it cannot get it explains with an [Error]. It removes
// what must never be stored (signed addresses, links with their tokens and
// passwords) before anybody else sees it.
package docspace
