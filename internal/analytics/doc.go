// Package analytics has no code: its tests hold what analysts are promised. The
// views of the schema analytics keep their columns, everything has a comment,
// the role roompulse_analyst can do no harm, docs/schema.md is what the
// database is, and the questions in docs/sql are answered rightly and without reading everything.
package analytics
