print("Hello, Ada!")
print("Hello, Ada!")
