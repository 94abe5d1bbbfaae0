// Package demoportal is a faithful ONLYOFFICE DocSpace portal in one process:
// an http.Handler that answers the part of DocSpace's REST API that reading
// an audit trail needs, out of a simulated portal (package world). Tests, the
// benchmarks and the demo run against it, so it is to behave as a DocSpace 3.7.2
// server does, defects included: whole-second dates without a tie-break, rows
// that come late, moves listed twice, filters that fail, lists that are
// empty where access is refused.
//
//	w := world.New(world.Config{})
//	room := w.At(monday, w.Owner()).CreateRoom(world.RoomSpec{Title: "Field Survey"})
//	w.At(tuesday, w.Owner()).Upload(room.Folder, "survey-q3.xlsx")
//
//	p := demoportal.New(w, demoportal.Options{Now: clock.Now})
//	server := httptest.NewServer(p)
//	... server.URL, with demoportal.DefaultKey as the API key ...
//
//	p.SetFaults(func(f *demoportal.Faults) { f.Ties = demoportal.Shuffled })
//
// A portal of any size comes from package worldgen. It uses nothing of the product
// but its table of actions: it is an independent witness of the client.
package demoportal
