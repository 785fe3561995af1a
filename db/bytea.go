package db

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// registerTypes teaches a connection ours.
func registerTypes(types *pgtype.Map) {
	registerUUID(types)
	registerByteaArray(types)
}

// byteaArrayCodec sends a [][]byte in one piece of memory. pgx by itself appends value by value, and copies all
// that it has each time the memory is full: of a page of listings that is most of what is allocated.
type byteaArrayCodec struct{ *pgtype.ArrayCodec }

// registerByteaArray teaches a connection's types [][]byte.
func registerByteaArray(types *pgtype.Map) {
	bytea, _ := types.TypeForOID(pgtype.ByteaOID) // every map has it
	types.RegisterType(&pgtype.Type{Name: "_bytea", OID: pgtype.ByteaArrayOID, Codec: byteaArrayCodec{&pgtype.ArrayCodec{ElementType: bytea}}})
}

func (c byteaArrayCodec) PlanEncode(types *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([][]byte); ok && format == pgtype.BinaryFormatCode {
		return byteaArrayPlan{}
	}
	return c.ArrayCodec.PlanEncode(types, oid, format, value)
}

type byteaArrayPlan struct{}

// Encode appends an array of one dimension (PostgreSQL, array_send); nil is NULL, as an array and in it.
func (byteaArrayPlan) Encode(value any, buf []byte) ([]byte, error) {
	values := value.([][]byte)
	if values == nil {
		return nil, nil
	}
	size, nulls := 20+4*len(values), uint32(0)
	for _, v := range values {
		if size += len(v); v == nil {
			nulls = 1
		}
	}
	buf = slices.Grow(buf, size)
	for _, header := range []uint32{1 /* dimension */, nulls, pgtype.ByteaOID, uint32(len(values)), 1 /* is the first index */} {
		buf = binary.BigEndian.AppendUint32(buf, header)
	}
	for _, v := range values {
		if v == nil {
			buf = binary.BigEndian.AppendUint32(buf, ^uint32(0))
			continue
		}
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(v)))
		buf = append(buf, v...)
	}
	return buf, nil
}
