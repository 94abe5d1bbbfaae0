package worldgen

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Names as people write them; addresses need plain letters.
var firstNames = []string{
	"Boris", "Chloe", "Dana", "Emil", "Farah", "Gustav", "Hanna", "Ismail", "Jonas", "Keiko", "Łukasz", "Marta", "Noor",
	"Olga", "Pedro", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Viktor", "Wanda", "Xavier", "Yusuf", "Zoë", "Aline",
	"Björn", "Carla", "Dmitri", "Elif", "Femi", "Greta", "Hugo", "Inés", "Jürgen", "Katya", "Leandro", "Mei", "Nils",
	"Oona", "Priya", "Rafael", "Sibel", "Théo", "Ursula", "Vera", "William", "山本", "Yael", "Zeynep",
}

var lastNames = []string{
	"Lind", "Marin", "Ortiz", "Ruiz", "Haddad", "Berg", "Novak", "O'Brien", "Weber", "Tanaka", "Żak", "Kowalska", "Jansen",
	"Petrova", "Alves", "Dubois", "García", "Nielsen", "Varga", "Rao", "Horvat", "Nowak", "Moreau", "Demir", "Müller",
	"Fontaine", "Åkesson", "Conti", "Ivanov", "Yılmaz", "Adeyemi", "Schmidt", "Lindqvist", "Peña", "Groß", "Smirnova",
	"Costa", "Chen", "Holm", "Virtanen", "Sharma", "Silva", "Aydın", "Laurent", "Becker", "Kovács", "Hughes", "花子",
	"Levi", "Kaya", "Abbott", "Brandt", "Castillo", "D'Angelo", "Eriksen", "Fischer", "Gallo", "Hansen", "Ito",
}

var plain = strings.NewReplacer(
	"Ł", "L", "ł", "l", "ø", "o", "á", "a", "ë", "e", "ö", "o", "é", "e", "ü", "u", "í", "i", "Ż", "Z", "ż", "z", "Å", "A",
	"ñ", "n", "ß", "ss", "ı", "i", "ó", "o", "山本", "yamamoto", "花子", "hanako", "'", "", " ", ".",
)

// name returns the i-th pair of names and an address that no other i has.
func name(i int) (first, last, mailbox string) {
	first, last = firstNames[i%len(firstNames)], lastNames[(i+i/len(firstNames)*7)%len(lastNames)]
	mailbox = strings.ToLower(plain.Replace(first + " " + last))
	if round := i / len(firstNames); round > 0 {
		mailbox += strconv.Itoa(round)
	}
	return first, last, mailbox
}

var roomTitles = []string{
	"Harbour Bridge Tender", "Annual Report", "Field Survey", "Onboarding", "Supplier Contracts", "Grant Writer",
	"Website Relaunch", "Board Papers", "Client Intake", "Übersee-Projekt", "Press: Spring Campaign", "Budget & Forecast",
	"Works Council", "Trade Fair", "Research Café", "Legal Review", "Vertrieb Süd", "Quality Handbook", "日本支社", "Fleet",
	"Energy Audit", "Training Material", "Product Photos", "Archive Digitisation", "Safety Board", "IT Helpdesk",
}

var (
	projectWords = []string{"Aurora", "Baltic", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Harvest", "Iris", "Juniper", "Kestrel", "Lagoon"}
	projectKinds = []string{"Project", "Tender", "Programme", "Contract", "Survey", "Launch", "Review", "Study"}
	groupNames   = []string{"Analysts", "Sales", "Engineering", "Finance", "Legal", "Marketing", "Operations", "Field Team", "Editors", "Board"}
	folderTitles = []string{"Drafts", "Final", "Correspondence", "Photos", "Minutes", "Invoices", "Old versions", "Appendices", "Templates", "Entwürfe"}
	fileStems    = []string{
		"minutes", "plan", "survey", "budget", "contract", "notes", "offer", "report", "schedule", "drawing", "summary",
		"presentation", "checklist", "risk-register", "letter", "Übersicht", "calculation", "photo", "interview", "scan",
	}
	fileEnds = []string{".docx", ".xlsx", ".pptx", ".pdf", ".docx", ".xlsx", ".jpg", ".txt"}
)

// roomTitle returns the title of the i-th room. Beyond the list two rooms in
// fifty share one.
func roomTitle(i int) string {
	if i < len(roomTitles) {
		return roomTitles[i]
	}
	if i%50 == 49 {
		i--
	}
	n := i - len(roomTitles)
	return fmt.Sprintf("%s %s %d", projectKinds[n%len(projectKinds)], projectWords[n/len(projectKinds)%len(projectWords)], 1+n/96)
}

func fileTitle(rng *rand.Rand) string {
	stem, end := fileStems[rng.IntN(len(fileStems))], fileEnds[rng.IntN(len(fileEnds))]
	switch rng.IntN(3) {
	case 0:
		return stem + end
	case 1:
		return fmt.Sprintf("%s-q%d%s", stem, 1+rng.IntN(4), end)
	}
	return fmt.Sprintf("%s-%02d%s", stem, 1+rng.IntN(60), end)
}
