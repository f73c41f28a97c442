// Writes node.txt: each line of expressions.txt, a tab, and what Node makes of it as JSON.
//
//	node generate.js > node.txt
'use strict';
const fs = require('fs');
for (const line of fs.readFileSync(__dirname + '/expressions.txt', 'utf8').split('\n')) {
	if (line === '' || line.startsWith('#')) continue;
	let result;
	try {
		result = eval(line);
	} catch (e) {
		result = 'throws ' + e.name;
	}
	process.stdout.write(line + '\t' + JSON.stringify(result === undefined ? null : result) + '\n');
}
