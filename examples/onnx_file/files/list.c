#include <stdio.h>
#include <stdlib.h>

struct node {
    int value;
    struct node *next;
};

static struct node *push(struct node *head, int value) {
    struct node *added = malloc(sizeof *added);
    added->value = value;
    added->next = head;
    return added;
}

int main(void) {
    struct node *list = NULL;
    for (int i = 0; i < 5; i++) list = push(list, i);
    for (; list; list = list->next) printf("%d\n", list->value);
    return 0;
}
