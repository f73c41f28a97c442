function (user, context, callback) {
  function greet({name = 'nobody', groups: [first] = ['none']} = {}, greeting = `Hello, ${name}`) { return greeting + first; }
  user.got = [greet(user), greet(), greet({groups: ['x']}), greet(undefined, 'Hi ')];
  callback(null, user, context);
}
