// node --no-deprecation node.js > node.txt writes what Node.js answers to the cases. It needs
// npm ci before.
'use strict';
const fs = require('fs');
const path = require('path');

const versions = {'uuid/v1': 'uuid3/v1', 'uuid/v3': 'uuid3/v3', 'uuid/v4': 'uuid3/v4', 'uuid/v5': 'uuid3/v5'};
const now = Date.UTC(2026, 10, 29, 12);
Date.now = () => now;

const read = (name) => fs.readFileSync(path.join(__dirname, name), 'utf8');
const load = (name) => require(versions[name] || name);

async function main() {
	// The process has a crypto of its own, which is not that of rules.
	Object.defineProperty(globalThis, 'crypto', {value: require('crypto')});
	globalThis.jwt = require('jsonwebtoken');
	const files = fs.readdirSync(__dirname).filter((name) => name.endsWith('.cases')).sort();
	for (const file of files) {
		const lines = read(file).split('\n');
		const cases = lines.map((line, i) => [line, i + 1])
			.filter(([line]) => line.trim() !== '' && !line.startsWith('//'));
		const source = '(async function (require) {' + read('prelude.js') + '\nreturn [' +
			cases.map(([line]) => 'await answer(() => (' + line + '\n))').join(',\n') + '];})';
		const answers = await (0, eval)(source)(load);
		cases.forEach(([, number], i) => console.log(file + ':' + number + '\t' + answers[i]));
	}
}
main().catch((error) => {
	console.error(error);
	process.exit(1);
});
