function (user, context, callback) {
  class Refused extends UnauthorizedError { constructor(who) { super(who + ' is refused'); } }
  callback(new Refused(user.name));
}
