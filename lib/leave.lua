local answer = run()
if #left > 0 then
    return {'left', answer, left}
end
return answer
