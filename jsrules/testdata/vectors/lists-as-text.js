/*{
 "Outcome": "passed",
 "User": {
  "texts": [
   "1,2,3,,,x",
   "",
   "1",
   "1,2",
   "12",
   "+1",
   "",
   "1,,2",
   "true 1.5 [object Object]",
   "a&b",
   "1,2,3",
   "1,2",
   "1null2"
  ],
  "long": 2,
  "flat": [
   [
    1,
    2,
    [
     3,
     [
      4
     ]
    ]
   ],
   [
    1,
    2,
    3,
    4
   ],
   [
    [
     1
    ],
    [
     2
    ]
   ],
   [
    1,
    [
     2
    ],
    2,
    [
     4
    ]
   ],
   [
    1,
    2
   ]
  ],
  "json": [
   "{\"a\":[1,{\"b\":2}],\"d\":\"x\"}",
   "{\"b\":{\"c\":3}}",
   "{\"b\":2}",
   "[\n  1\n]",
   "undefined",
   2
  ]
 }
}*/
function (user, context, callback) {
  var circle = [1];
  circle.push(circle, 2);
  user.texts = [
    '' + [1, [2, [3]], null, undefined, 'x'], [].join(), [1].join('-'), [1, 2].join(), [1, 2].join(''), [, 1].join('+'), [null].join(), String(circle), [true, 1.5, {}].join(' '),
    Array.prototype.join.call({length: 2, 0: 'a', 1: 'b'}, '&'), [[1, 2], [3]].toString(), [1, 2].join(undefined), [1, 2].join(null)
  ];
  user.long = ['a'].concat('x'.repeat(2e6)).length;
  user.flat = [[1, [2, [3, [4]]]].flat(), [1, [2, [3, [4]]]].flat(Infinity), [[1], [2]].flat(0), [1, 2].flatMap(function (x) { return [x, [x * 2]]; }), [, 1, [, 2]].flat()];
  user.json = [JSON.stringify({a: [1, {b: 2}], c: undefined, d: 'x'}), JSON.stringify({a: 1, b: {a: 2, c: 3}}, ['b', 'c']), JSON.stringify({a: 1, b: 2}, function (k, v) { return k === 'a' ? undefined : v; }),
    JSON.stringify([1], null, 2), String(JSON.stringify(undefined)), JSON.parse('{"a":[1,2]}', function (k, v) { return Array.isArray(v) ? v.length : v; }).a];
  callback(null, user, context);
}
