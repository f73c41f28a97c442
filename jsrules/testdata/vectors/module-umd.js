/* {"Claims": {}, "Outcome": "passed", "User": {"got": "umd true true"},
"Modules": {"umd": "(function (root, factory) { if (typeof define === 'function' && define.amd) { define([], factory); } else if (typeof module === 'object' && module.exports) { module.exports = factory(root); } else { root.umd = factory(root); } }(typeof self !== 'undefined' ? self : this, function (root) { 'use strict'; var top = root || global || Function('return this')(); return {name: 'umd', top: top.Object === Object, tick: typeof process.nextTick === 'function'}; }));"}} */
function (user, context, callback) {
  const umd = require('umd');
  user.got = [umd.name, umd.top, umd.tick].join(' ');
  callback(null, user, context);
}
