/*{
 "Outcome": "passed",
 "User": {
  "pieces": [
   [
    "a",
    "b",
    "c"
   ],
   [
    "a",
    "b"
   ],
   [
    ""
   ],
   [],
   [
    "a",
    "1",
    "b",
    "2",
    "c"
   ],
   [
    "A",
    null,
    "B",
    "bold",
    "/",
    "B",
    "and"
   ],
   [
    "a",
    "b"
   ],
   [
    "",
    "b"
   ],
   [],
   [
    "t",
    "e",
    "s",
    "t"
   ],
   [
    "ä",
    "ö",
    ""
   ],
   [
    "a ",
    "b"
   ],
   [
    "x",
    "y"
   ]
  ]
 }
}*/
function (user, context, callback) {
  user.pieces = [
    'abc'.split(/(?:)/), 'aXbXc'.split(/x/i, 2), ''.split(/x/), ''.split(/x*/), 'a1b2c'.split(/(\d)/), 'A<B>bold</B>and'.split(/<(\/)?([^<>]+)>/),
    'ab'.split(/a*?/), 'ab'.split(/a*/), 'abc'.split(/b/, 0), 'test'.split(/(?:)/, -1), 'ä,ö,'.split(/,/g), 'a b'.split(/(?<= )/), ['x', 'y'].toString().split(',')
  ];
  callback(null, user, context);
}
