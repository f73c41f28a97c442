package jsrules

import (
	"math"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// bitOperators are those whose operands are taken modulo 2^32 (ECMA-262 §7.1.6).
var bitOperators = map[token.Token]bool{
	token.AND:                  true,
	token.OR:                   true,
	token.EXCLUSIVE_OR:         true,
	token.SHIFT_LEFT:           true,
	token.SHIFT_RIGHT:          true,
	token.UNSIGNED_SHIFT_RIGHT: true,
}

// isBitOperation reports whether a node is an operation that [exactBits] changes.
func isBitOperation(node any) bool {
	switch n := node.(type) {
	case *ast.BinaryExpression:
		return bitOperators[n.Operator]
	case *ast.AssignExpression:
		return bitOperators[n.Operator]
	case *ast.UnaryExpression:
		return n.Operator == token.BITWISE_NOT
	}
	return false
}

// exactBits makes the operands of bit operators exact. goja converts a number beyond 2^63 through
// an integer that cannot hold it, so its bits are lost. a | b becomes (a % 2^32) | (b % 2^32),
// which is the same in ECMAScript. An assignment such as a.b |= c takes only c that way.
func exactBits(operations []ast.Expression) {
	done := map[ast.Expression]bool{} // declarations are in the syntax tree twice
	for _, operation := range operations {
		if done[operation] {
			continue
		}
		done[operation] = true
		switch n := operation.(type) {
		case *ast.BinaryExpression:
			n.Left = modulo(n.Left)
			n.Right = modulo(n.Right)
		case *ast.UnaryExpression:
			n.Operand = modulo(n.Operand)
		case *ast.AssignExpression:
			n.Right = modulo(n.Right)
			if name, ok := n.Left.(*ast.Identifier); ok {
				value := &ast.Identifier{Name: name.Name, Idx: name.Idx}
				n.Right = &ast.BinaryExpression{
					Operator: n.Operator, Left: modulo(value), Right: n.Right,
				}
				n.Operator = token.ASSIGN
			}
		}
	}
}

// modulo returns an expression modulo 2^32, or as it is if its value is an integer that is small.
func modulo(e ast.Expression) ast.Expression {
	switch n := e.(type) {
	case *ast.BinaryExpression:
		if bitOperators[n.Operator] {
			return e
		}
	case *ast.UnaryExpression:
		if n.Operator == token.BITWISE_NOT {
			return e
		}
	case *ast.NumberLiteral:
		if _, whole := n.Value.(int64); whole {
			return e
		}
		if f, ok := n.Value.(float64); ok && math.Abs(f) < 1<<53 {
			return e
		}
	case *ast.BooleanLiteral, *ast.NullLiteral:
		return e
	case *ast.CallExpression:
		if method, ok := n.Callee.(*ast.DotExpression); ok {
			switch method.Identifier.Name {
			case "indexOf", "lastIndexOf", "charCodeAt", "codePointAt", "search":
				return e
			}
		}
	}
	const modulus = 1 << 32
	return &ast.BinaryExpression{
		Operator: token.REMAINDER,
		Left:     e,
		Right: &ast.NumberLiteral{
			Idx: e.Idx0(), Literal: "4294967296", Value: int64(modulus),
		},
	}
}
