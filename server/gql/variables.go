package gql

import (
	"encoding/json"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// misfit finds the first variable that is no value of its type (GraphQL §3.5, "Input Coercion"). It stands before
// gqlparser's own check, which takes a number for a String, text for an Int or a Float and an enum value in any case,
// and leaves alone what that one does find: nulls, unknown members and missing ones.
func misfit(schema *ast.Schema, op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	if len(variables) == 0 {
		return nil
	}
	for _, v := range op.VariableDefinitions {
		given, ok := variables[v.Variable]
		if !ok {
			continue
		}
		if err := misfitOf(schema, v.Type, given, ast.Path{ast.PathName("variable"), ast.PathName(v.Variable)}); err != nil {
			return err
		}
	}
	return nil
}

func misfitOf(schema *ast.Schema, t *ast.Type, v any, path ast.Path) *gqlerror.Error {
	if v == nil {
		return nil
	}
	if t.Elem != nil {
		list, ok := v.([]any)
		if !ok {
			return misfitOf(schema, t.Elem, v, path) // one value is a list of one
		}
		for i, v := range list {
			if err := misfitOf(schema, t.Elem, v, append(path, ast.PathIndex(i))); err != nil {
				return err
			}
		}
		return nil
	}
	def := schema.Types[t.NamedType]
	if def == nil {
		return nil
	}
	ok := true
	switch def.Kind {
	case ast.Enum:
		name, isString := v.(string)
		ok = isString && def.EnumValues.ForName(name) != nil
	case ast.Scalar:
		ok = isScalar(def.Name, v)
	case ast.InputObject:
		members, isObject := v.(map[string]any)
		if !isObject {
			break
		}
		for _, f := range def.Fields {
			if err := misfitOf(schema, f.Type, members[f.Name], append(path, ast.PathName(f.Name))); err != nil {
				return err
			}
		}
	}
	if ok {
		return nil
	}
	err := failure(codeBadInput, "must be of type %s", def.Name)
	err.Path = append(ast.Path(nil), path...)
	return err
}

// isScalar knows the scalars of the specification; those of the schema's own decide for themselves.
func isScalar(name string, v any) bool {
	number, isNumber := v.(json.Number)
	_, isString := v.(string)
	switch name {
	case "String":
		return isString
	case "Int":
		_, err := strconv.ParseInt(string(number), 10, 32)
		return isNumber && err == nil
	case "Float":
		return isNumber
	case "ID":
		_, err := number.Int64()
		return isString || isNumber && err == nil
	}
	return true
}
