package sparki

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// TransactionType says what is offered.
type TransactionType string

// What is offered.
const (
	Sale       TransactionType = "SALE"
	Rent       TransactionType = "RENT"
	SaleOrRent TransactionType = "SALE_OR_RENT"
)

// Offered is what is offered; nil for neither.
func Offered(sale, rent bool) *TransactionType {
	switch {
	case sale && rent:
		return new(SaleOrRent)
	case sale:
		return new(Sale)
	case rent:
		return new(Rent)
	default:
		return nil
	}
}

// ProjectStatus is where the offer stands, in Sparki's words.
type ProjectStatus string

// Where an offer can stand.
const (
	StatusAvailable   ProjectStatus = "AVAILABLE"
	StatusUnderOption ProjectStatus = "UNDER_OPTION"
	StatusCompleted   ProjectStatus = "COMPLETED"
	StatusCancelled   ProjectStatus = "CANCELLED"
	StatusClosed      ProjectStatus = "CLOSED"
)

// ProjectCategory is the kind of property.
type ProjectCategory string

// The kinds of property. Everything unknown is CategoryOther.
const (
	CategoryHouse     ProjectCategory = "HOUSE"
	CategoryApartment ProjectCategory = "APARTMENT"
	CategoryStudio    ProjectCategory = "STUDIO"
	CategoryParking   ProjectCategory = "PARKING"
	CategoryStorage   ProjectCategory = "STORAGE"
	CategoryOther     ProjectCategory = "OTHER"
)

// Listing is a CRM object in Sparki's own terms: what projects are filled from. It holds nothing
// that must not be public. Its JSON is what the database keeps.
type Listing struct {
	Title                  string           `json:"title"`
	Description            *string          `json:"description,omitempty"`
	LongDescriptionHeading *string          `json:"longDescriptionHeading,omitempty"`
	LongDescription        *string          `json:"longDescription,omitempty"`
	Price                  *Price           `json:"price,omitempty"`
	TransactionType        *TransactionType `json:"transactionType,omitempty"`
	Status                 ProjectStatus    `json:"status"`
	Category               ProjectCategory  `json:"category"`
	Address                Address          `json:"address"`
	Coordinates            *Coordinates     `json:"coordinates,omitempty"`
	Details                []DetailRow      `json:"details,omitempty"`
	ThumbnailURL           *string          `json:"thumbnailUrl,omitempty"`
	Images                 []ListingMedia   `json:"images,omitempty"`
	FloorPlans             []ListingMedia   `json:"floorPlans,omitempty"`
	OtherMedia             []ListingMedia   `json:"otherMedia,omitempty"`
}

// Price is what is asked. Amount is nil when it is hidden or on request; Label is what to show.
type Price struct {
	Amount   *Decimal `json:"amount,omitempty"`
	Currency string   `json:"currency"` // ISO 4217
	Label    string   `json:"label"`    // "€ 425.000 k.k.", "Prijs op aanvraag"
}

// Address is where it stands. Parts that the CRM hides or lacks are nil.
type Address struct {
	Label               string  `json:"label"` // "Keizersgracht 12-A, 1015 CN Amsterdam"
	Street              *string `json:"street,omitempty"`
	HouseNumber         *string `json:"houseNumber,omitempty"`
	HouseNumberAddition *string `json:"houseNumberAddition,omitempty"`
	PostalCode          *string `json:"postalCode,omitempty"` // "1015 CN"
	City                *string `json:"city,omitempty"`
	StateOrProvince     *string `json:"stateOrProvince,omitempty"`
	Country             *string `json:"country,omitempty"` // ISO 3166-1 alpha-2
	// Physical is true as soon as the CRM sent address or location data.
	Physical bool `json:"physical"`
}

// Coordinates are WGS 84 degrees.
type Coordinates struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// DetailRow is one line of the details table: living area, bedrooms, energy label.
type DetailRow struct {
	Key   string  `json:"key"`
	Label string  `json:"label"`
	Value string  `json:"value"`
	Unit  *string `json:"unit,omitempty"` // "m²", "m³"
}

// ListingMedia is one public picture, floor plan, video or brochure.
type ListingMedia struct {
	// ExternalID is the CRM's own media id: the same id with a new URL is the same picture.
	ExternalID string  `json:"externalId"`
	URL        string  `json:"url"`
	Title      *string `json:"title,omitempty"`
	Position   int     `json:"position"` // from 0, the CRM's order
	MimeType   *string `json:"mimeType,omitempty"`
}

// KeepMedia leaves out the media whose URL may not be shown. The others move up.
func (l *Listing) KeepMedia(mayShow func(url string) bool) {
	for _, list := range []*[]ListingMedia{&l.Images, &l.FloorPlans, &l.OtherMedia} {
		*list = slices.DeleteFunc(*list, func(m ListingMedia) bool { return !mayShow(m.URL) })
		for n := range *list {
			(*list)[n].Position = n
		}
	}
	if l.ThumbnailURL != nil && !mayShow(*l.ThumbnailURL) {
		l.ThumbnailURL = nil
	}
}

// DropMedium takes a picture or a floor plan off a listing, by the CRM's id.
func (l *Listing) DropMedium(externalID string, kind MediaKind) {
	lists := map[MediaKind]*[]ListingMedia{MediaImage: &l.Images, MediaFloorPlan: &l.FloorPlans}
	if list := lists[kind]; list != nil {
		*list = slices.DeleteFunc(*list, func(m ListingMedia) bool { return m.ExternalID == externalID })
	}
}

// Decimal is an exact amount with two digits behind the point, for example "425000.00".
type Decimal string

// maxDecimalLen bounds what ParseDecimal reads, so that no exponent can make it work for long.
const maxDecimalLen = 24

// ParseDecimal reads a decimal number of at most twelve digits before the point and rounds it to
// cents. It refuses exponents above 15, "NaN", "0x10" and everything else that is not a price.
func ParseDecimal(s string) (Decimal, bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if s == "" || len(s) > maxDecimalLen || len(strings.TrimLeft(exponent, "+-0")) > 1 || strings.Trim(mantissa, "+-.0123456789") != "" {
		return "", false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || r.Num().BitLen()-r.Denom().BitLen() > 40 {
		return "", false
	}
	return Decimal(r.FloatString(2)), true
}

// Ref names one object in a CRM.
type Ref struct {
	// Type is the source type, for example "object-assignment".
	Type string
	// ID is the object's id in the CRM.
	ID string
	// Note is what the provider leaves itself between hint and fetch, for example the detail URL;
	// "" when it needs nothing.
	Note string
	// ModifiedAt is the object's modification time if whoever named it knows; zero otherwise.
	ModifiedAt time.Time
}

// Key is Ref without what may change from hint to hint.
func (r Ref) Key() string { return r.Type + "/" + r.ID }

// ItemState says whether a synced item still stands for an object we may show.
type ItemState string

// The states of a synced item.
const (
	ItemActive   ItemState = "ACTIVE"
	ItemInactive ItemState = "INACTIVE"
)

// InactiveReason says why an item is inactive; "" while it is active.
type InactiveReason string

// Why an item is inactive.
const (
	ReasonWithdrawn    InactiveReason = "WITHDRAWN"
	ReasonDeleted      InactiveReason = "DELETED"
	ReasonNotAvailable InactiveReason = "NOT_AVAILABLE"
	ReasonFilteredOut  InactiveReason = "FILTERED_OUT"
)

// Item is our copy of one CRM object. It never creates a project by itself.
type Item struct {
	ID            uuid.UUID
	IntegrationID uuid.UUID
	// Provider is the key of the integration's provider.
	Provider       string
	SourceType     string
	ExternalID     string
	ObjectCode     *string
	AfdelingCode   *string
	AgencyID       *string
	OfficeID       *string
	EmployeeIDs    []string
	State          ItemState
	InactiveReason *InactiveReason
	// Listing is whole, or only its card (everything but texts, details and media) when it was read
	// for a list that asked for no more.
	Listing          *Listing
	SourceModifiedAt *time.Time
	SyncedAt         time.Time
	SyncError        *string
	Provenance       *Provenance
	// Version rises with every change.
	Version int64
}

// NodeID is the item's public id.
func (i *Item) NodeID() string { return ItemNode.ID(i.ID) }

// Provenance says where an item came from, for CRMs whose notifications name it.
type Provenance struct {
	SourceURL        *string    `json:"sourceUrl,omitempty"`
	WebhookName      *string    `json:"webhookName,omitempty"`
	WebhookEvent     *string    `json:"webhookEvent,omitempty"`
	WebhookTimestamp *time.Time `json:"webhookTimestamp,omitempty"`
	APIVersion       *string    `json:"apiVersion,omitempty"`
}

// Found is what a CRM says about one object now.
type Found struct {
	Ref Ref
	// Listing is nil when the object is gone and Inactive says so.
	Listing *Listing
	// Raw is the CRM's answer as it came.
	Raw []byte
	// ModifiedAt is the CRM's own modification time; zero when it gives none.
	ModifiedAt time.Time
	// Inactive is "" for an object that may be shown.
	Inactive     InactiveReason
	ObjectCode   string
	AfdelingCode string
	AgencyID     string
	OfficeID     string
	EmployeeIDs  []string
	Provenance   *Provenance
	// Unknown lists enum values that the mapping does not know, as "field=value".
	Unknown []string
	// Unused lists the names of fields that have a value and are not looked at.
	Unused []string
}

// Gone is what a fetch finds when the CRM says that the object does not exist.
func Gone(ref Ref) *Found { return &Found{Ref: ref, Inactive: ReasonDeleted} }

// OnEarth says whether the point exists.
func (c Coordinates) OnEarth() bool {
	return c.Latitude >= -90 && c.Latitude <= 90 && c.Longitude >= -180 && c.Longitude <= 180
}

// OneLine writes an address for a person: "Keizersgracht 12-A, 1015 CN Amsterdam".
func (a Address) OneLine() string {
	join := func(separator string, parts ...*string) string {
		var given []string
		for _, part := range parts {
			if part != nil && *part != "" {
				given = append(given, *part)
			}
		}
		return strings.Join(given, separator)
	}
	number := join("-", a.HouseNumber, a.HouseNumberAddition)
	street, place := join(" ", a.Street, &number), join(" ", a.PostalCode, a.City)
	return join(", ", &street, &place)
}

// PriceLabel writes an amount for a person, the Dutch way: "€ 425.000", "€ 1.250,50".
func PriceLabel(currency string, amount Decimal) string {
	whole, cents, _ := strings.Cut(string(amount), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "." + whole[i:]
	}
	if cents != "00" && cents != "" {
		whole += "," + cents
	}
	if currency == "EUR" {
		currency = "€"
	}
	return currency + " " + whole
}
