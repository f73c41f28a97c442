/*{
 "Outcome": "passed",
 "Log": [
  "level=INFO msg=\"hello Alice 42 true null undefined\"",
  "level=WARN msg=\"{\\\"a\\\":[1,\\\"x\\\"],\\\"when\\\":\\\"1970-01-01T00:00:00.000Z\\\"}\"",
  "level=ERROR msg=\"TypeError: odd [function] [null]\"",
  "level=DEBUG msg=\"\"",
  "level=INFO msg=\"[\\\"a\\\"]\""
 ]
}*/
function (user, context, callback) {
  console.log('hello', user.name, 42, true, null, undefined);
  console.warn({a: [1, 'x'], when: new Date(0)});
  console.error(new TypeError('odd'), function f() {}, [function () {}]);
  console.debug();
  console.info(['a']);
  callback(null, user, context);
}
