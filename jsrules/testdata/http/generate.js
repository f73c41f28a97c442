// Runs the cases of cases.txt with the npm packages that they are about, against the server whose
// address is the first argument, and prints the results as JSON. The second argument is the address
// of a port that is closed.
'use strict';
const fs = require('fs');
const path = require('path');
const [at, closed] = process.argv.slice(2);
const AsyncFunction = (async () => {}).constructor;
process.on('uncaughtException', () => {}); // one of a case
process.removeAllListeners('warning');
process.on('warning', () => {});

async function main() {
  const results = {};
  const text = fs.readFileSync(path.join(__dirname, 'cases.txt'), 'utf8');
  for (const part of text.split(/^== /m).slice(1)) {
    const end = part.indexOf('\n');
    const run = new AsyncFunction('require', 'at', 'closed', part.slice(end));
    let result;
    try {
      result = await run(require, at, closed);
    } catch (e) {
      result = 'thrown: ' + e;
    }
    const json = JSON.stringify(result === undefined ? null : result);
    results[part.slice(0, end)] = JSON.parse(json.split(at).join('http://HOST')
      .split(closed).join('http://CLOSED').split(at.slice(7)).join('HOST')
      .split(closed.slice(7)).join('CLOSED'));
  }
  fs.writeSync(1, JSON.stringify(results, null, '\t') + '\n');
  process.exit(0);
}
main();
