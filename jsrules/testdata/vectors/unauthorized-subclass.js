/*{
 "Outcome": "denied",
 "Text": "You are not in staff."
}*/
function (user, context, callback) {
  class NoGroup extends UnauthorizedError {
    constructor(group) { super('You are not in ' + group + '.'); this.group = group; }
  }
  const error = new NoGroup('staff');
  if (!(error instanceof Error) || error.name !== 'UnauthorizedError') return callback(new Error('odd'));
  callback(error);
}
