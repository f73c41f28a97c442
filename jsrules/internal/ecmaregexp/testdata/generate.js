// Writes node.json: what Node's regular expressions say, which the tests compare with.
//
//	node generate.js > node.json
//
// assigned.json are the characters of Unicode 15.0, so that a Node with a newer Unicode says the same.
'use strict';
const fs = require('fs');
const assigned = JSON.parse(fs.readFileSync(__dirname + '/assigned.json'));

let seed = 20261128;
function random(n) {
	seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
	return Math.floor(seed / 4294967296 * n);
}
const pick = (list) => list[random(list.length)];

const letters = ['a', 'b', 'c', 'k', 's', 'K', 'S', '\u212a', '\u017f', '\u00df', '\u1e9e', '\u00e4', '\u00c4', '1', '_', '-', ' ',
	'\u0130', '\u0131', '\u03c3', '\u03c2', '\u03a3', '\u2126', '\u03c9', '\u00e5', '\u212b', '\u1fb3', '\u1fbc', '\u01c5', '\u01c4'];
const wide = ['\ud83d\ude00', '\ud801\udc00', '\ud801\udc28', '\ud83d', '\ude00'];
const lines = ['\n', '\r', '\u2028'];
const escapes = ['\\d', '\\D', '\\w', '\\W', '\\s', '\\S', '\\b', '\\B', '.', '^', '$', '\\u212a', '\\x6b', '\\0', '\\t', '\\cJ'];
const loose = ['\\p', '\\1', '\\2', '\\8', '\\07', '\\u{61}', '\\k', '{', '}', ']', 'a{,2}', '\\c', '\\_', '\\x1', '\\-'];
const strict = ['\\u{61}', '\\u{1F600}', '\\p{L}', '\\p{Lu}', '\\P{Lu}', '\\p{Ll}', '\\p{N}', '\\p{Script=Greek}', '\\p{sc=Latn}',
	'\\p{gc=Nd}', '\\p{Alphabetic}', '\\P{L}', '\\p{White_Space}', '\\p{ASCII}', '\\ud83d\\ude00', '\\ud83d'];

function classAtom(u) {
	const atom = random(10);
	if (atom < 6) return pick(letters.concat(u ? wide : []));
	if (atom < 8) return pick(['\\d', '\\w', '\\W', '\\s', '\\S', '\\b', '\\-', '\\u017f']);
	if (u) return pick(['\\p{L}', '\\p{Lu}', '\\P{Ll}', '\\p{N}', '\\u{1F600}']);
	return pick(['\\c', '\\1', 'p', '{', '\\B', '.']);
}
function bracket(u) {
	let made = random(3) === 0 ? '[^' : '[';
	for (let n = random(4); n >= 0; n--) {
		made += classAtom(u);
		if (random(3) === 0) made += '-' + classAtom(u);
	}
	return made + ']';
}
function atom(u, depth) {
	switch (random(depth > 2 ? 6 : 11)) {
	case 0: case 1: case 2: return pick(letters.concat(u && random(2) ? wide : []));
	case 3: return pick(escapes);
	case 4: return pick(u ? strict : loose);
	case 5: return bracket(u);
	case 6: return '(' + alternatives(u, depth + 1) + ')';
	case 7: return '(?:' + alternatives(u, depth + 1) + ')';
	case 8: return pick(['(?=', '(?!']) + alternatives(u, depth + 1) + ')';
	case 9: return pick(['(?<=', '(?<!']) + alternatives(u, depth + 1) + ')';
	default: return pick(['\\1', '\\2', '(?<n>' + alternatives(u, depth + 1) + ')\\k<n>', '(a)|b', '(?:(a)|(b)|)']);
	}
}
function term(u, depth) {
	const made = atom(u, depth);
	switch (random(7)) {
	case 0: return made + pick(['*', '+', '?', '*?', '+?', '??']);
	case 1: return made + pick(['{2}', '{0,2}', '{1,}', '{0}', '{1,3}?', '{2,}?']);
	}
	return made;
}
function alternatives(u, depth) {
	const list = [];
	do {
		let made = '';
		for (let n = random(8) ? 1 + random(3) : 0; n > 0; n--) made += term(u, depth);
		list.push(made);
	} while (random(4) === 0);
	return list.join('|');
}
function input() {
	let made = '';
	for (let n = random(9); n > 0; n--) made += pick(random(6) === 0 ? wide : random(8) === 0 ? lines : letters);
	return made;
}

// exec is where the match and its captures are, as texts, or null.
function exec(re, text, from) {
	re.lastIndex = from;
	const found = re.exec(text);
	if (!found) return null;
	return [found.index].concat(Array.from(found, (capture) => (capture === undefined ? null : capture)));
}
// units writes a text as its code units, because JSON cannot carry half a character to every reader.
const units = (text) => Array.from({length: text.length}, (_, i) => text.charCodeAt(i).toString(16)).join(' ');
function row(pattern, flags, texts) {
	let re;
	try {
		re = new RegExp(pattern, flags);
	} catch (e) {
		return {p: units(pattern), f: flags, bad: true};
	}
	return {
		p: units(pattern), f: flags,
		r: texts.map((text) => {
			const from = (re.global || re.sticky) && random(2) ? random(text.length + 1) : 0;
			const found = exec(re, text, from);
			return [units(text), from, found && found.map((part) => (typeof part === 'string' ? units(part) : part))];
		})
	};
}

const rows = [];
for (const line of fs.readFileSync(__dirname + '/patterns.txt', 'utf8').split('\n')) {
	if (line === '' || line.startsWith('#')) continue;
	const [pattern, flags, ...texts] = JSON.parse(line);
	rows.push(row(pattern, flags, texts));
}
const allFlags = ['', 'i', 'u', 'iu', 'm', 'im', 's', 'ius', 'g', 'gi', 'giu', 'y', 'yu', 'imu', 'gmsu'];
while (rows.length < 2600) {
	const flags = pick(allFlags);
	const pattern = alternatives(flags.includes('u'), 0);
	const made = row(pattern, flags, [input(), input(), input(), input()]);
	if (made.bad && random(4)) continue;
	rows.push(made);
}

// What counts as the same: for each flag, the pairs of a character and the least one that it equals.
const isAssigned = new Set();
for (const [low, high] of assigned) for (let c = low; c <= high; c++) if (c < 0x30000) isAssigned.add(c);
function classes(flags, limit) {
	const groups = [];
	const cased = [];
	for (let c = 0; c < limit; c++) {
		if (!isAssigned.has(c) || c >= 0xd800 && c < 0xe000) continue;
		const text = String.fromCodePoint(c);
		if (text.toLowerCase() !== text || text.toUpperCase() !== text || /[\u0345\u03f4\u1e9e\u2126\u212a\u212b]/.test(text)) cased.push(c);
	}
	for (const c of cased) {
		const text = String.fromCodePoint(c);
		const re = new RegExp('^' + text + '$', flags);
		for (const other of cased) if (other < c && re.test(String.fromCodePoint(other))) {
			groups.push([c, other]);
			break;
		}
	}
	return groups;
}

const names = ['Any', 'ASCII', 'Assigned', 'Alphabetic', 'Lowercase', 'Uppercase', 'Cased', 'Math', 'Grapheme_Extend', 'ID_Start', 'ID_Continue',
	'ASCII_Hex_Digit', 'Bidi_Control', 'Dash', 'Deprecated', 'Diacritic', 'Extender', 'Hex_Digit', 'IDS_Binary_Operator', 'IDS_Trinary_Operator',
	'Ideographic', 'Join_Control', 'Logical_Order_Exception', 'Noncharacter_Code_Point', 'Pattern_Syntax', 'Pattern_White_Space',
	'Quotation_Mark', 'Radical', 'Regional_Indicator', 'Sentence_Terminal', 'Soft_Dotted', 'Terminal_Punctuation', 'Unified_Ideograph',
	'Variation_Selector', 'White_Space', 'AHex', 'Alpha', 'Bidi_C', 'Dep', 'Dia', 'Ext', 'Gr_Ext', 'Hex', 'IDC', 'IDS', 'IDSB', 'IDST', 'Ideo',
	'Join_C', 'LOE', 'Lower', 'NChar', 'Pat_Syn', 'Pat_WS', 'QMark', 'RI', 'SD', 'STerm', 'Term', 'UIdeo', 'Upper', 'VS', 'space'];
for (const gc of ['L', 'LC', 'Lu', 'Ll', 'Lt', 'Lm', 'Lo', 'M', 'Mn', 'Mc', 'Me', 'N', 'Nd', 'Nl', 'No', 'P', 'Pc', 'Pd', 'Ps', 'Pe', 'Pi', 'Pf', 'Po',
	'S', 'Sm', 'Sc', 'Sk', 'So', 'Z', 'Zs', 'Zl', 'Zp', 'C', 'Cc', 'Cf', 'Cs', 'Co', 'Cn']) names.push(gc, 'gc=' + gc);
for (const gc of ['Letter', 'Uppercase_Letter', 'punct', 'digit', 'cntrl', 'Combining_Mark', 'Unassigned']) names.push(gc, 'General_Category=' + gc);
const scripts = fs.readFileSync(__dirname + '/scripts.txt', 'utf8').trim().split(/\s+/);
for (const script of scripts) names.push('Script=' + script, 'sc=' + script);
const properties = {};
for (const name of names) {
	let re;
	try {
		re = new RegExp('\\p{' + name + '}', 'u');
	} catch (e) {
		properties[name] = null;
		continue;
	}
	let count = 0;
	let hash = 2166136261;
	for (const [low, high] of assigned) {
		for (let c = low; c <= Math.min(high, 0xeffff); c++) {
			if (!re.test(String.fromCodePoint(c))) continue;
			count++;
			hash = Math.imul(hash ^ c, 16777619) >>> 0;
		}
	}
	properties[name] = [count, hash];
}
const out = {rows, units: classes('i', 0x10000), points: classes('iu', 0x1f000), properties};
process.stdout.write('{"rows": [\n' + out.rows.map((r) => JSON.stringify(r)).join(',\n') + '\n],\n"units": ' + JSON.stringify(out.units) +
	',\n"points": ' + JSON.stringify(out.points) + ',\n"properties": ' + JSON.stringify(out.properties) + '}\n');
