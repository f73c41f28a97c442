// A comment before the rule.
function named(user, context, callback) {
  user.got = typeof named; /* and one inside */
  callback(null, user, context);
} // and one after it
;
