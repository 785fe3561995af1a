package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// rawBytes is the size of an item's raw answer as it lies in the database, compressed.
const rawBytes = 1800

// seedItems fills a portal with items of which every fifth has a project: through the db package, so
// that they lie as the program itself would have put them.
func seedItems(ctx context.Context, b *bench, p *program, n int) error {
	c, err := startCRM(ctx, 0)
	if err != nil {
		return err
	}
	defer c.stop()
	connected, err := p.connect(ctx, c)
	if err != nil {
		return err
	}
	id, err := sparki.IntegrationNode.Parse(connected.ID)
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, db.Options{URL: p.databaseURL, MaxConns: 2})
	if err != nil {
		return err
	}
	defer d.Close()
	const batch = 500
	for from := 0; from < n; from += batch {
		writes := make([]db.ItemWrite, 0, batch)
		for i := from; i < min(from+batch, n); i++ {
			write, err := madeUpItem(i)
			if err != nil {
				return err
			}
			writes = append(writes, write)
		}
		err := d.Tx(ctx, p.portal, func(tx *db.Tx) error {
			_, err := tx.UpsertItems(ctx, id, writes)
			return err
		})
		if err != nil {
			return fmt.Errorf("seed items: %w", err)
		}
	}
	return b.stack.sql(ctx, p.databaseURL, func(conn *pgx.Conn) error {
		for _, sql := range []string{linkFifth, `vacuum (analyze)`} {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return fmt.Errorf("seed projects: %w", err)
			}
		}
		return nil
	})
}

// linkFifth imports every fifth item.
const linkFifth = `
	insert into projects (portal_id, id, item_id, linked_at, refreshed_at, imported, lifecycle, appointment_minutes, content,
		title, status, category, transaction_type, price_amount, price_currency, price_label, address_label, street, house_number,
		house_number_addition, postal_code, city, state_or_province, country, physical_address, thumbnail_url, search)
	select portal_id, gen_random_uuid(), id, now(), now(), true, 'PUBLISHED', 30, listing,
		title, status, category, transaction_type, price_amount, price_currency, price_label, address_label, street, house_number,
		house_number_addition, postal_code, city, state_or_province, country, physical_address, thumbnail_url, search
	from items where object_code like '%0' or object_code like '%5'`

var cities = []string{"Utrecht", "Amersfoort", "Deventer", "Zwolle", "Arnhem", "Nijmegen", "Haarlem", "Leiden", "Delft", "Groningen"}

// madeUpItem is item number i, always the same but for its id.
func madeUpItem(i int) (db.ItemWrite, error) {
	r := rand.New(rand.NewPCG(uint64(i), 20))
	city, street, number, postcode := cities[i%len(cities)], "Kastanjelaan", fmt.Sprint(1+r.IntN(400)), fmt.Sprintf("%d %c%c", 1000+r.IntN(8999), 'A'+rune(r.IntN(26)), 'A'+rune(r.IntN(26)))
	amount, country := sparki.Decimal(fmt.Sprintf("%d.00", 150_000+1000*r.IntN(900))), "NL"
	sale, thumbnail := sparki.TransactionType("SALE"), fmt.Sprintf("https://media.example.nl/photos/%s/medium/front-%06d.jpg", uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, i)), i)
	listing := &sparki.Listing{
		Title: fmt.Sprintf("Eengezinswoning met %d slaapkamers in %s", 2+r.IntN(4), city), TransactionType: &sale,
		Status: "AVAILABLE", Category: "HOUSE", ThumbnailURL: &thumbnail,
		Price: &sparki.Price{Amount: &amount, Currency: "EUR", Label: "€ " + string(amount) + " k.k."},
		Address: sparki.Address{
			Label:  street + " " + number + ", " + postcode + " " + city,
			Street: &street, HouseNumber: &number, PostalCode: &postcode, City: &city, Country: &country, Physical: true,
		},
	}
	encoded, err := db.EncodeListing(listing)
	if err != nil {
		return db.ItemWrite{}, err
	}
	raw := make([]byte, rawBytes) // noise, as what is compressed already
	for k := range raw {
		raw[k] = byte(r.Uint32())
	}
	code := fmt.Sprintf("SYN-%06d", i)
	return db.ItemWrite{
		ID: sparki.NewID(), Encoded: encoded, ContentHash: fmt.Append(nil, i), ListingHash: fmt.Append(nil, i), MappingVersion: 1, ReadAt: time.Now(),
		Found: &sparki.Found{
			Ref: sparki.Ref{Type: "object-assignment", ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)).String()}, Listing: listing, Raw: raw,
			ModifiedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute), ObjectCode: code,
		},
	}, nil
}
