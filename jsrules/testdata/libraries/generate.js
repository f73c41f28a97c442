// What Node gives for each line of the .txt files: npm ci, then node generate.js > node.json.
'use strict';
process.env.TZ = 'UTC';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

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

// Timers run in the order of their times, as soon as nothing else is left to do. On a busy machine,
// Node's own would run late, and two that are due at about the same time in either order.
const waiting = [];
let now = Date.now();
let made = 0;
let idle = 0; // turns of this line in which no timer ran
Date.now = () => now;
global.setTimeout = (f, delay, ...args) => {
	const timer = { at: now + Math.max(1, Number(delay) || 0), order: made++, f, args };
	waiting.push(timer);
	return timer;
};
global.clearTimeout = (timer) => {
	const i = waiting.indexOf(timer);
	if (i >= 0) waiting.splice(i, 1);
};
// turn gives promises, ticks and the libraries' own queues their turn, and then runs a timer.
function turn(left = 10) {
	if (left > 0) {
		setImmediate(turn, left - 1);
		return;
	}
	waiting.sort((a, b) => a.at - b.at || a.order - b.order);
	const timer = waiting.shift();
	if (timer) {
		now = timer.at;
		timer.f(...timer.args);
	} else if (idle++ > 100) {
		throw new Error('a line never settles');
	}
	setImmediate(turn);
}

vm.runInThisContext(fs.readFileSync(path.join(__dirname, 'show.js'), 'utf8'));

async function main() {
	const all = {};
	for (const [name, [variable, required]] of Object.entries(libraries)) {
		const library = require(required);
		all[name] = {};
		const lines = fs.readFileSync(path.join(__dirname, name + '.txt'), 'utf8').trim().split('\n');
		for (const line of lines) {
			idle = 0;
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
turn();
main().then(() => process.exit());
