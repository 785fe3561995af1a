package resolvers

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"sparki.app/integrations"
	"sparki.app/integrations/graph"
)

// Bounds of what a person may enter, in characters.
const (
	maxTitle    = 300
	maxLine     = 500
	maxText     = 20_000
	maxDetails  = 200
	minMinutes  = 5
	mostMinutes = 480
)

// projectInput reads an input field by field and collects what is wrong with it.
type projectInput struct {
	patch   sparki.ProjectPatch
	refused sparki.Refusal
}

// projectPatch reads what a person entered. A Refusal names every field that cannot be used.
func projectPatch(in graph.ProjectInput) (sparki.ProjectPatch, error) {
	p := &projectInput{patch: sparki.ProjectPatch{Set: map[sparki.ProjectField]func(*sparki.Listing){}}}
	p.title(in.Title)
	p.texts(in)
	p.choices(in)
	p.price(in.Price)
	p.address(in.Address)
	p.coordinates(in.Coordinates)
	p.details(in.Details)
	p.minutes(in.AppointmentMinutes)
	if len(p.refused) > 0 {
		return sparki.ProjectPatch{}, p.refused
	}
	return p.patch, nil
}

func (p *projectInput) refuse(code sparki.UserErrorCode, message string, path ...string) {
	p.refused = append(p.refused, sparki.UserError{Code: code, Message: message, Field: append([]string{"input"}, path...)})
}

func (p *projectInput) set(field sparki.ProjectField, set func(*sparki.Listing)) {
	p.patch.Set[field] = set
}

// text checks one text; nil for none.
func (p *projectInput) text(value *string, most int, path ...string) *string {
	if value == nil {
		return nil
	}
	s := strings.TrimSpace(*value)
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) }):
		p.refuse(sparki.CodeInvalid, "the text holds a character that cannot be stored", path...)
		return nil
	case utf8.RuneCountInString(s) > most:
		p.refuse(sparki.CodeInvalid, fmt.Sprintf("use at most %d characters", most), path...)
		return nil
	case s == "":
		return nil
	}
	return &s
}

// needed checks one text that has to be there; "" when it is refused.
func (p *projectInput) needed(value *string, most int, missing string, path ...string) string {
	before := len(p.refused)
	text := p.text(value, most, path...)
	if text == nil && len(p.refused) == before {
		p.refuse(sparki.CodeRequired, missing, path...)
	}
	return or(text, "")
}

func (p *projectInput) title(in graphql.Omittable[*string]) {
	value, given := in.ValueOK()
	if !given {
		return
	}
	if value != nil { // pasted lines become one
		line := strings.Join(strings.Fields(*value), " ")
		value = &line
	}
	title := p.needed(value, maxTitle, "a project needs a title", "title")
	p.set(sparki.FieldTitle, func(l *sparki.Listing) { l.Title = title })
}

func (p *projectInput) texts(in graph.ProjectInput) {
	if value, given := in.Description.ValueOK(); given {
		text := p.text(value, maxText, "description")
		p.set(sparki.FieldDescription, func(l *sparki.Listing) { l.Description = text })
	}
	heading, headingGiven := in.LongDescriptionHeading.ValueOK()
	long, longGiven := in.LongDescription.ValueOK()
	if !headingGiven && !longGiven {
		return
	}
	heading, long = p.text(heading, maxLine, "longDescriptionHeading"), p.text(long, maxText, "longDescription")
	p.set(sparki.FieldLongDescription, func(l *sparki.Listing) {
		if headingGiven {
			l.LongDescriptionHeading = heading
		}
		if longGiven {
			l.LongDescription = long
		}
	})
}

func (p *projectInput) choices(in graph.ProjectInput) {
	if value, given := in.TransactionType.ValueOK(); given {
		p.set(sparki.FieldTransactionType, func(l *sparki.Listing) { l.TransactionType = value })
	}
	if value, given := in.Status.ValueOK(); given {
		p.set(sparki.FieldStatus, func(l *sparki.Listing) { l.Status = or(value, sparki.StatusAvailable) })
	}
	if value, given := in.Category.ValueOK(); given {
		p.set(sparki.FieldCategory, func(l *sparki.Listing) { l.Category = or(value, sparki.CategoryOther) })
	}
}

func or[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

func (p *projectInput) price(in graphql.Omittable[*graph.PriceInput]) {
	value, given := in.ValueOK()
	if !given {
		return
	}
	if value == nil {
		p.set(sparki.FieldPrice, func(l *sparki.Listing) { l.Price = nil })
		return
	}
	price := &sparki.Price{Currency: or(value.Currency.Value(), "EUR"), Label: or(p.text(value.Label.Value(), maxLine, "price", "label"), "")}
	if !currency.MatchString(price.Currency) {
		p.refuse(sparki.CodeInvalid, "give an ISO 4217 code such as EUR", "price", "currency")
	}
	if amount := value.Amount.Value(); amount != nil {
		exact, ok := sparki.ParseDecimal(string(*amount))
		if !ok || strings.HasPrefix(string(exact), "-") {
			p.refuse(sparki.CodeInvalid, "give an amount such as \"425000.00\"", "price", "amount")
		}
		price.Amount = &exact
	}
	switch {
	case price.Label == "" && price.Amount == nil:
		p.refuse(sparki.CodeRequired, "give an amount, a label or both", "price")
	case price.Label == "":
		price.Label = sparki.PriceLabel(price.Currency, *price.Amount)
	}
	p.set(sparki.FieldPrice, func(l *sparki.Listing) { l.Price = price })
}

var country = regexp.MustCompile(`^[A-Z]{2}$`)

func (p *projectInput) address(in graphql.Omittable[*graph.AddressInput]) {
	value, given := in.ValueOK()
	if !given {
		return
	}
	var a sparki.Address
	if value != nil {
		part := func(in graphql.Omittable[*string], name string) *string {
			return p.text(in.Value(), maxLine, "address", name)
		}
		a = sparki.Address{
			Street: part(value.Street, "street"), HouseNumber: part(value.HouseNumber, "houseNumber"),
			HouseNumberAddition: part(value.HouseNumberAddition, "houseNumberAddition"), PostalCode: part(value.PostalCode, "postalCode"),
			City: part(value.City, "city"), StateOrProvince: part(value.StateOrProvince, "stateOrProvince"), Country: part(value.Country, "country"),
		}
		a.Physical = a != sparki.Address{}
		a.Label = a.OneLine()
		if a.Country != nil && !country.MatchString(*a.Country) {
			p.refuse(sparki.CodeInvalid, "give an ISO 3166-1 alpha-2 code such as NL", "address", "country")
		}
	}
	p.set(sparki.FieldAddress, func(l *sparki.Listing) { l.Address = a })
}

func (p *projectInput) coordinates(in graphql.Omittable[*graph.CoordinatesInput]) {
	value, given := in.ValueOK()
	if !given {
		return
	}
	var at *sparki.Coordinates
	if value != nil {
		at = &sparki.Coordinates{Latitude: value.Latitude, Longitude: value.Longitude}
		if !at.OnEarth() {
			p.refuse(sparki.CodeInvalid, "give a latitude of -90 to 90 and a longitude of -180 to 180 degrees", "coordinates")
		}
	}
	p.set(sparki.FieldCoordinates, func(l *sparki.Listing) { l.Coordinates = at })
}

func (p *projectInput) details(in graphql.Omittable[[]*graph.DetailRowInput]) {
	value, given := in.ValueOK()
	if !given {
		return
	}
	if len(value) > maxDetails {
		p.refuse(sparki.CodeInvalid, fmt.Sprintf("give at most %d rows", maxDetails), "details")
		return
	}
	rows := make([]sparki.DetailRow, len(value))
	for i, in := range value {
		need := func(s, name string) string {
			return p.needed(&s, maxLine, "give a text", "details", fmt.Sprint(i), name)
		}
		rows[i] = sparki.DetailRow{Key: need(in.Key, "key"), Label: need(in.Label, "label"), Value: need(in.Value, "value"),
			Unit: p.text(in.Unit.Value(), maxLine, "details", fmt.Sprint(i), "unit")}
	}
	p.set(sparki.FieldDetails, func(l *sparki.Listing) { l.Details = rows })
}

func (p *projectInput) minutes(in graphql.Omittable[*int]) {
	value, given := in.ValueOK()
	if !given {
		return
	}
	minutes := or(value, sparki.DefaultAppointmentMinutes)
	if minutes < minMinutes || minutes > mostMinutes {
		p.refuse(sparki.CodeInvalid, fmt.Sprintf("give %d to %d minutes", minMinutes, mostMinutes), "appointmentMinutes")
	}
	p.patch.AppointmentMinutes = &minutes
}

// mediaInput checks a picture that a person adds.
func mediaInput(in graph.ProjectMediaInput) (title *string, err error) {
	p := &projectInput{}
	if title = p.text(in.Title.Value(), maxLine, "title"); len(in.URL) > 2000 {
		p.refuse(sparki.CodeInvalid, "use at most 2000 characters", "url")
	}
	if len(p.refused) > 0 {
		return nil, p.refused
	}
	return title, nil
}
