// Runs every case of this folder as a rule and writes what Node makes of it: one line for each
// case, its name, a tab, and the outcome as JSON. One process runs them all.
//
//	TZ=UTC LC_ALL=en_US.UTF-8 node generate.js > node.txt
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

class UnauthorizedError extends Error {}
Object.assign(globalThis, {UnauthorizedError, require});

// The rule around an expression. kind tells what JSON does not.
function ruleOf(expression) {
	return (expression.includes('await ') ? 'async ' : '') + `function (user, context, callback) {
	var got;
	try { got = ${expression}
; } catch (e) { got = 'throws ' + e.name; }
	user.kind = got !== got ? 'NaN' : got === 0 && 1 / got < 0 ? '-0' : typeof got;
	user.got = got;
	callback(null, user, context);
}`;
}

// cases reads a file of expressions: one on each line, or several lines between <<< and >>>.
function cases(text) {
	const found = [];
	const lines = text.split('\n');
	for (let i = 0; i < lines.length; i++) {
		if (lines[i] === '' || lines[i].startsWith('#')) continue;
		if (lines[i] !== '<<<') {
			found.push(lines[i]);
			continue;
		}
		const end = lines.indexOf('>>>', i);
		found.push(lines.slice(i + 1, end).join('\n'));
		i = end;
	}
	return found;
}

// alice is the user of whole rules. Expressions have a user without properties.
const alice = () => ({
	email: 'alice@example.com', email_verified: true, name: 'Alice', groups: ['staff', 'editors'],
	identities: [{provider: 'auth0', user_id: '1', connection: 'db', isSocial: false}],
	persistent: {}
});

// run runs a rule for a user and returns a promise of its outcome.
function run(source, user) {
	let rule;
	try {
		rule = vm.runInThisContext('0,' + source);
	} catch (e) {
		return {throws: e.name};
	}
	return new Promise((resolve) => {
		const failed = (e) => resolve(e instanceof UnauthorizedError ? {denied: e.message} : {failed: String(e)});
		const callback = (e, u) => (e ? failed(e) : resolve({user: JSON.parse(JSON.stringify(u || user))}));
		try {
			Promise.resolve(rule(user, {}, callback)).catch(failed);
		} catch (e) {
			failed(e);
		}
		setTimeout(resolve, 60000, {failed: 'callback was not called'}).unref();
	});
}

async function main() {
	const folder = __dirname;
	const all = [];
	for (const file of fs.readdirSync(folder).sort()) {
		if (file.endsWith('.txt') && !['node.txt', 'differences.txt'].includes(file)) {
			for (const expression of cases(fs.readFileSync(path.join(folder, file), 'utf8'))) {
				all.push([expression, ruleOf(expression), {}]);
			}
		}
	}
	for (const file of fs.readdirSync(path.join(folder, 'rules')).sort()) {
		all.push(['rules/' + file, fs.readFileSync(path.join(folder, 'rules', file), 'utf8'), alice()]);
	}
	process.on('unhandledRejection', () => {});
	const outcomes = await Promise.all(all.map(([, source, user]) => run(source, user)));
	const lines = all.map(([name], i) => JSON.stringify(name) + '\t' + JSON.stringify(outcomes[i]) + '\n');
	// A pipe may take the text in parts. Timers of cases keep the process alive until then.
	process.stdout.write(lines.join(''), () => process.exit());
}

main();
