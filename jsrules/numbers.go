package jsrules

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// completeNumbers replaces functions of numbers that differ from Node.
func (r *run) completeNumbers() {
	global := r.rt.GlobalObject()
	if r.first("parseInt") {
		r.replace(global, "parseInt", r.parseInt)
		class := global.Get("Number").(*goja.Object)
		_ = class.DefineDataProperty("parseInt", global.Get("parseInt"),
			goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	if r.first("sign") {
		r.replace(global.Get("Math").(*goja.Object), "sign", r.sign)
	}
	if r.first("clz32") {
		r.replace(global.Get("Math").(*goja.Object), "clz32", r.clz32)
	}
	if r.first("imul") {
		r.replace(global.Get("Math").(*goja.Object), "imul", r.imul)
	}
	r.guard(r.prototype("Number"), "toString", r.checkRadix)
}

// sign is Math.sign. goja's returns what is not a number as it is.
func (r *run) sign(call goja.FunctionCall) goja.Value {
	number := r.numberOf(call.Argument(0))
	switch {
	case number > 0:
		number = 1
	case number < 0:
		number = -1
	}
	return r.rt.ToValue(number)
}

// clz32 and imul are functions of Math. goja's lose the bits of numbers beyond 2^63.
func (r *run) clz32(call goja.FunctionCall) goja.Value {
	return r.rt.ToValue(bits.LeadingZeros32(toUint32(r.numberOf(call.Argument(0)))))
}

func (r *run) imul(call goja.FunctionCall) goja.Value {
	a := toUint32(r.numberOf(call.Argument(0)))
	b := toUint32(r.numberOf(call.Argument(1)))
	return r.rt.ToValue(int32(a * b))
}

// parseInt is the global function (ECMA-262 §19.2.5). goja's loses the last bits of long numbers,
// and -0.
func (r *run) parseInt(call goja.FunctionCall) goja.Value {
	text := units(r.stringOf(call.Argument(0)))
	r.atMost(int64(len(text)), maxText/16, "the text")
	radix := int(int32(toUint32(r.numberOf(call.Argument(1)))))
	text = trimLeft(text)
	sign := 1.0
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	prefixed := len(text) > 1 && text[0] == '0' && text[1]|0x20 == 'x'
	if (radix == 0 || radix == 16) && prefixed {
		text = text[2:]
		radix = 16
	}
	if radix == 0 {
		radix = 10
	}
	if radix < 2 || radix > 36 {
		return goja.NaN()
	}
	end := 0
	for end < len(text) && digitOf(text[end]) < radix {
		end++
	}
	if end == 0 {
		return goja.NaN()
	}
	return r.rt.ToValue(sign * wholeNumber(text[:end], radix))
}

// trimLeft removes white space as ECMAScript does.
func trimLeft(text []uint16) []uint16 {
	for len(text) > 0 {
		switch c := text[0]; {
		case c == ' ', c >= '\t' && c <= '\r', c == 0xa0, c == 0x1680, c >= 0x2000 && c <= 0x200a,
			c == 0x2028, c == 0x2029, c == 0x202f, c == 0x205f, c == 0x3000, c == 0xfeff:
			text = text[1:]
		default:
			return text
		}
	}
	return text
}

// digitOf returns the value of a digit, or 36 if it is none.
func digitOf(c uint16) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'z' && c < 0x80:
		return int(c|0x20-'a') + 10
	}
	return 36
}

// wholeNumber returns the number that digits are. It is exact if the radix is 10 or a power of two.
// For any other radix it is rounded as in V8, part by part.
func wholeNumber(digits []uint16, radix int) float64 {
	switch radix {
	case 2, 4, 8, 10, 16, 32:
		var text strings.Builder
		for _, c := range digits {
			text.WriteByte(byte(c))
		}
		if radix == 10 {
			number, _ := strconv.ParseFloat(text.String(), 64)
			return number
		}
		return binaryNumber(text.String(), radix)
	}
	const most = math.MaxUint32 / 36
	number := 0.0
	for i := 0; i < len(digits); {
		part := 0
		multiplier := 1
		for i < len(digits) && multiplier*radix <= most {
			part = part*radix + digitOf(digits[i])
			multiplier *= radix
			i++
		}
		number = float64(number*float64(multiplier)) + float64(part)
	}
	return number
}

// binaryNumber reads digits of a power of two. Digits that cannot change the result do not count.
func binaryNumber(text string, radix int) float64 {
	const enough = 1100 // 2^1100 is more than the greatest number
	text = strings.TrimLeft(text, "0")
	if len(text) > enough {
		return math.Inf(1)
	}
	whole, _ := new(big.Int).SetString("0"+text, radix)
	number, _ := new(big.Float).SetInt(whole).Float64()
	return number
}

// toUint32 is ToUint32 (ECMA-262 §7.1.7).
func toUint32(number float64) uint32 {
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return 0
	}
	number = math.Mod(math.Trunc(number), 1<<32)
	if number < 0 {
		number += 1 << 32
	}
	return uint32(number)
}

// checkRadix refuses to write a number beyond 2^53 with a radix such as 3 or 36. Its last digits
// depend on how an engine rounds.
func (r *run) checkRadix(call goja.FunctionCall) {
	argument := call.Argument(0)
	if goja.IsUndefined(argument) || !goja.IsNumber(call.This) {
		return
	}
	number := math.Abs(call.This.ToFloat())
	if number < 1<<53 || math.IsInf(number, 0) {
		return
	}
	switch radix := r.numberOf(argument); radix {
	case 2, 4, 8, 10, 16, 32:
	default:
		r.notHere("a number beyond 2^53 with the radix %v", radix)
	}
}
