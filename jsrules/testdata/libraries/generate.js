// What Node gives for each line of the .txt files: npm ci, then node generate.js > node.json.
'use strict';
process.env.TZ = 'UTC';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

process.on('beforeExit', () => { throw new Error('a line never settles'); });

// The globals _ and async of rules are older than what require gives them.
const libraries = {
	'lodash': ['_', 'lodash'],
	'lodash2': ['_', 'lodash2'],
	'moment': ['moment', 'moment'],
	'moment-timezone': ['moment', 'moment-timezone'],
	'async': ['async', 'async'],
	'async0': ['async', 'async0'],
	'bluebird': ['Bluebird', 'bluebird']
};
vm.runInThisContext(fs.readFileSync(path.join(__dirname, 'show.js'), 'utf8'));

async function main() {
	const all = {};
	for (const [name, [variable, required]] of Object.entries(libraries)) {
		const library = require(required);
		all[name] = {};
		const lines = fs.readFileSync(path.join(__dirname, name + '.txt'), 'utf8').trim().split('\n');
		for (const line of lines) {
			try {
				const f = new Function(variable, 'return (' + line + '\n)');
				all[name][line] = show(await f(library));
			} catch (e) {
				all[name][line] = 'throws ' + show(e);
			}
		}
	}
	process.stdout.write(JSON.stringify(all, null, '\t') + '\n');
}
main().then(() => process.exit());
