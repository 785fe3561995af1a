package words

// dutchRealworks are the texts of providers/realworks that Kolibri's do not have as well.
var dutchRealworks = map[string]string{
	// The settings form.
	"The address of Realworks's API. Realworks tells you if you need another one than the usual.": "Het adres van de API van Realworks. Realworks laat het weten als er een ander dan het gebruikelijke nodig is.",
	"API token": "API-token",
	"The token for the APIs Wonen, Business and Nieuwbouw, from the Realworks developer portal. It is hidden once it is saved; paste a new one to replace it.": "Het token voor de API's Wonen, Business en Nieuwbouw, uit het ontwikkelaarsportaal van Realworks. Na het opslaan is het verborgen; plak een nieuw om het te vervangen.",
	"Agenda token": "Agendatoken",
	"Only if the agenda has a token of its own. Leave it empty if the API token includes the API Agenda.": "Alleen als de agenda een eigen token heeft. Laat dit leeg als de API Agenda bij het API-token hoort.",
	"Relaties token": "Relatiestoken",
	"Only if the relations have a token of their own. Without access to the API Relaties, schedules can be linked with an afdeling only.": "Alleen als de relaties een eigen token hebben. Zonder toegang tot de API Relaties kunnen agenda's alleen aan een afdeling worden gekoppeld.",
	"Afdeling codes": "Afdelingscodes",
	"Fill these in to take over the objects of some afdelingen only, and to link schedules with them. Leave the list empty for all afdelingen.": "Vul deze in om alleen de objecten van bepaalde afdelingen over te nemen en agenda's eraan te koppelen. Laat de lijst leeg voor alle afdelingen.",
	"Agenda type": "Agendatype",
	"The agenda type of appointments, written as your office has it in Realworks.": "Het agendatype van afspraken, geschreven zoals het kantoor het in Realworks heeft.",
	"Agenda status": "Agendastatus",
	"The status of a confirmed appointment, written as your office has it in Realworks.": "De status van een bevestigde afspraak, geschreven zoals het kantoor die in Realworks heeft.",
	"Agenda status when cancelled": "Agendastatus bij annulering",
	"The status of a cancelled appointment, written as your office has it in Realworks: an appointment cannot be deleted there.": "De status van een geannuleerde afspraak, geschreven zoals het kantoor die in Realworks heeft: een afspraak kan daar niet worden verwijderd.",
	"Agenda privacy": "Agendaprivacy",
	"Who may see appointments in Realworks, written as your office has it there. Empty means Iedereen, everybody.": "Wie afspraken in Realworks mag zien, geschreven zoals het kantoor het daar heeft. Leeg betekent Iedereen.",
	"Dev mode": "Ontwikkelmodus",
	"Allows a smoke test that makes, changes and cancels an appointment. Only for a test afdeling or a test agenda.": "Staat een proef toe die een afspraak maakt, wijzigt en annuleert. Alleen voor een testafdeling of een testagenda.",
	"Test prefix": "Testvoorvoegsel",
	"What the subjects of test appointments begin with. Empty means [SPARKI TEST].": "Waarmee het onderwerp van testafspraken begint. Leeg betekent [SPARKI TEST].",
	"Test afdeling code":                               "Testafdelingscode",
	"The afdeling whose agenda the smoke test uses.":   "De afdeling waarvan de proef de agenda gebruikt.",
	"Test medewerker ID":                               "Testmedewerker-ID",
	"The medewerker whose agenda the smoke test uses.": "De medewerker van wie de proef de agenda gebruikt.",

	// What is wrong with the settings; the first %s is a label of the form.
	"%s must be codes of digits, such as 935001": "%s moeten codes van cijfers zijn, zoals 935001",

	// What Realworks refuses.
	"Realworks accepts the API token, but not for the API %s; add that API to the token in the developer portal":                                "Realworks accepteert het API-token, maar niet voor de API %s; voeg die API in het ontwikkelaarsportaal aan het token toe",
	"Realworks accepts the API token, but for none of the APIs Wonen, Business and Nieuwbouw; add one to the token in the developer portal":     "Realworks accepteert het API-token, maar voor geen van de API's Wonen, Business en Nieuwbouw; voeg er in het ontwikkelaarsportaal een aan het token toe",
	"Realworks does not accept the API token; check that it is pasted whole, not expired, and accepted in the developer portal":                 "Realworks accepteert het API-token niet; controleer of het heel is geplakt, niet verlopen is en in het ontwikkelaarsportaal is geaccepteerd",
	"Realworks accepts this token from certain IP addresses only, and Sparki's is none of them; add it to the IP range in the developer portal": "Realworks accepteert dit token alleen vanaf bepaalde IP-adressen, en dat van Sparki hoort daar niet bij; voeg het in het ontwikkelaarsportaal aan het IP-bereik toe",
	"Realworks refuses access to the API %s; ask the office's Realworks administrator to allow it":                                              "Realworks weigert toegang tot de API %s; vraag de Realworks-beheerder van het kantoor om die toe te staan",
	"there is no Realworks API at the API base URL; check it":                                                                                   "op de API-basis-URL is geen Realworks-API; controleer deze",
	"Realworks accepts the API token, but shows no objects; ask the office to set the release level (vrijgave) of its objects":                  "Realworks accepteert het API-token, maar toont geen objecten; vraag het kantoor om de vrijgave van de objecten in te stellen",
	"Realworks shows the objects of the API %s without their codes; ask the office to set the release level (vrijgave) of its objects":          "Realworks toont de objecten van de API %s zonder hun codes; vraag het kantoor om de vrijgave van de objecten in te stellen",
	"Realworks does not accept the token for the API %s; check it, or clear it to use the API token":                                            "Realworks accepteert het token voor de API %s niet; controleer het, of maak het leeg om het API-token te gebruiken",
	"Realworks's API %s does not know what the settings name; check the afdeling codes":                                                         "de API %s van Realworks kent niet wat de instellingen noemen; controleer de afdelingscodes",
	"Realworks has no version %s of the API %s":                                                                                                 "Realworks heeft geen versie %s van de API %s",
	"Realworks sent a list without results; if this goes on, the API base URL is wrong":                                                         "Realworks stuurde een lijst zonder resultaten; houdt dit aan, dan is de API-basis-URL verkeerd",
	"Realworks has no objects like %.40q":                                              "Realworks heeft geen objecten als %.40q",
	"Realworks sent something else than the object that was asked for":                 "Realworks stuurde iets anders dan het gevraagde object",
	"no page of Realworks's lists begins at %.20q":                                     "geen bladzijde van de lijsten van Realworks begint bij %.20q",
	"Realworks names a next page that does not belong to the list; it is not followed": "Realworks noemt een volgende bladzijde die niet bij de lijst hoort; die wordt niet gevolgd",
	"Realworks's list repeats the same page":                                           "de lijst van Realworks herhaalt dezelfde bladzijde",

	// Appointments in the agenda.
	"the schedule's link names no afdeling or no medewerker ID; link the schedule again":                     "de koppeling van de agenda noemt geen afdeling of geen medewerker-ID; koppel de agenda opnieuw",
	"Realworks does not know this agenda any more; sync the agendas, and link the schedule with another one": "Realworks kent deze agenda niet meer; synchroniseer de agenda's en koppel met een andere",
	"Realworks accepted an agenda item without telling its id":                                               "Realworks accepteerde een agendapunt zonder het ID te noemen",
	"Realworks's agenda has no item of this appointment":                                                     "de agenda van Realworks heeft geen agendapunt van deze afspraak",
	"Realworks's agenda has an item that looks like this appointment, but does not show its extra information; ask the office to release (vrijgave) the extra information of agenda items, then try again": "de agenda van Realworks heeft een agendapunt dat op deze afspraak lijkt, maar toont de extra informatie ervan niet; vraag het kantoor om de extra informatie van agendapunten vrij te geven en probeer het dan opnieuw",
	"Realworks does not tell which afdelingen the office has; fill in the afdeling codes":                                                                                                                  "Realworks meldt niet welke afdelingen het kantoor heeft; vul de afdelingscodes in",
	"%s must be a number": "%s moet een getal zijn",
	"dev mode is off: switch it on in the settings first": "de ontwikkelmodus staat uit: zet die eerst aan in de instellingen",

	// Why a notification is ignored.
	"events of the kind %q do not say that an object changed": "gebeurtenissen van het soort %q zeggen niet dat een object is gewijzigd",
	"the access to the object is %q, not ACTIVE":              "de toegang tot het object is %q, niet ACTIVE",
	"it names no afdeling":                                    "er staat geen afdeling in",
	"it names no object":                                      "er staat geen object in",
	"the afdeling is not one of those in the settings":        "de afdeling is niet een van die in de instellingen",
	"it has no detail URL of a version that is read":          "er staat geen detail-URL in van een versie die wordt gelezen",
	"the URL is not that of an object":                        "de URL is niet die van een object",
}
