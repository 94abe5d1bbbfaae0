// Package audit is the vocabulary of roompulse: what a portal records (events,
// rooms, members, accounts), what of it counts as activity, and the windows of
// time that reports speak about. It does no I/O.
package audit
