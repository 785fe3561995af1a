package db

import (
	"reflect"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// What pgx does by itself is the measure, in both formats and for every shape that ids and byte strings come in.
func TestTypesAreSentAndReadAsByPgx(t *testing.T) {
	t.Parallel()
	plain, ours := pgtype.NewMap(), pgtype.NewMap()
	registerTypes(ours)
	id, other := uuid.New(), uuid.New()
	for name, c := range map[string]struct {
		oid   uint32
		value any
	}{
		"ID":     {pgtype.UUIDOID, id},
		"Nil":    {pgtype.UUIDOID, uuid.Nil},
		"Maybe":  {pgtype.UUIDOID, &id},
		"None":   {pgtype.UUIDOID, (*uuid.UUID)(nil)},
		"List":   {pgtype.UUIDArrayOID, []uuid.UUID{id, other}},
		"Empty":  {pgtype.UUIDArrayOID, []uuid.UUID{}},
		"Maybes": {pgtype.UUIDArrayOID, []*uuid.UUID{&id, nil}},

		"Bytes":       {pgtype.ByteaArrayOID, [][]byte{{1, 2, 3}, {}, make([]byte, 5000)}},
		"MaybeBytes":  {pgtype.ByteaArrayOID, [][]byte{{0}, nil}},
		"NoBytes":     {pgtype.ByteaArrayOID, [][]byte{}},
		"NoByteArray": {pgtype.ByteaArrayOID, [][]byte(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, format := range []int16{pgtype.BinaryFormatCode, pgtype.TextFormatCode} {
				want, err := plain.Encode(c.oid, format, c.value, nil)
				if err != nil {
					t.Fatal(err)
				}
				got, err := ours.Encode(c.oid, format, c.value, nil)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("format %d: sent as %v (%v), want %v", format, got, err, want)
				}
				back := reflect.New(reflect.TypeOf(c.value))
				if err := ours.Scan(c.oid, format, got, back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), c.value) {
					t.Errorf("format %d: read as %v (%v), want %v", format, back.Elem(), err, c.value)
				}
			}
		})
	}
	for _, src := range [][]byte{nil, {}, make([]byte, 17)} {
		if err := ours.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, src, &id); err == nil {
			t.Errorf("%v was read as %v", src, id)
		}
	}
}
