const button = document.querySelector('#start');
let seconds = 0;

function show() {
  document.querySelector('#time').textContent = `${seconds} s`;
}

button.addEventListener('click', () => {
  setInterval(() => {
    seconds += 1;
    show();
  }, 1000);
});

export default { show };
